"""The Berkeley Function Calling Leaderboard as an environment."""
