# shellcheck shell=bash
# Long work: one run at a time, progress while it lasts, its log on failure, nothing left when it is interrupted.

LOG=
JOB_FILE=
JOB=
LOCK_HOLDER=$$

# only_one_run LOCK-FILE ARGS…: continues when no other run holds the lock.
# The script runs again under flock --close, so that nothing it starts (a container's monitor lives on) keeps the lock.
only_one_run() {
  local lock=$1; shift
  if [[ ${TRAINING_SANDBOX_LOCK:-} != "$lock" ]]; then
    mkdir -p "$(dirname "$lock")"
    flock --nonblock "$lock" true || say "waiting for another run of this (lock: $lock)"
    TRAINING_SANDBOX_LOCK=$lock exec flock --close "$lock" "$0" "$@"
  fi
  unset TRAINING_SANDBOX_LOCK
  LOCK_HOLDER=$PPID
  JOB_FILE=$lock.job
  end_leftover_job
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  trap 'end_job' EXIT
}

log_to() { LOG=$1; mkdir -p "$(dirname "$LOG")"; : > "$LOG"; }

# stage NAME COMMAND…: runs it with its output in the log.
# It gets a process group of its own, so that it can be ended as a whole.
stage() {
  local name=$1 start=$SECONDS beat=15; shift
  say "  $name …"
  set -m
  ( trap - INT TERM HUP EXIT; set -e; "$@" ) < /dev/null >> "$LOG" 2>&1 &
  JOB=$!
  set +m
  [[ -z $JOB_FILE ]] || echo "$JOB $(started_at "$JOB")" > "$JOB_FILE"
  while kill -0 "$JOB" 2> /dev/null; do
    sleep 0.1
    [[ -e /proc/$LOCK_HOLDER ]] || exit 143 # flock is what a signal meant for this script goes to
    if (( SECONDS - start >= beat )); then
      say "  $name … $((SECONDS - start)) s: $(tail -n 1 "$LOG" | tr -d '\r' | cut -c 1-90)"
      beat=$((beat + 15))
    fi
  done
  wait "$JOB" || stage_failed "$name" "$((SECONDS - start))"
  forget_job
  say "  $name: $((SECONDS - start)) s"
}

# A command may set NEXT to say what to do beside reading the log, and define on_failure to save more than the log.
stage_failed() {
  forget_job
  say "  $1: failed after $2 s. The end of its log:"
  tail -n 20 "$LOG" | sed 's/^/    /' >&2
  [[ $(type -t on_failure) != function ]] || on_failure "$1"
  die "$1 failed" "read $LOG${NEXT:+; $NEXT}"
}

started_at() { # a process id can be used again; together with its start it is unique until the next boot
  local stat
  stat=$(cat "/proc/$1/stat" 2> /dev/null) || return 0
  stat=${stat##*) }
  cut -d ' ' -f 20 <<< "$stat"
}

end_job() {
  [[ -z $JOB ]] || kill -TERM -- "-$JOB" 2> /dev/null || true
  forget_job
}

forget_job() { JOB=; [[ -z $JOB_FILE ]] || rm -f "$JOB_FILE"; }

end_leftover_job() { # of a run that was killed with SIGKILL, which leaves what it started running
  local pid start _
  [[ -f $JOB_FILE ]] && read -r pid start < "$JOB_FILE" || return 0
  if [[ -n $start && $(started_at "$pid") == "$start" ]]; then
    say "ending what an earlier, killed run left behind (process group $pid)"
    kill -TERM -- "-$pid" 2> /dev/null || true
    for _ in {1..100}; do kill -0 -- "-$pid" 2> /dev/null || break; sleep 0.1; done
    kill -KILL -- "-$pid" 2> /dev/null || true
  fi
  rm -f "$JOB_FILE"
}
