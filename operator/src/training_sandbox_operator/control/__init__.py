"""The loop: cache, queue, deadlines and the reconciliation of one key."""
