"""The confinement of a process that is about to run code of an agent.

What agent code tries, and the layers that deny it; a layer that the kernel or the container lacks
is told by `Confinement.missing`.

| agent code | rlimits and privileges | Landlock | seccomp |
|---|---|---|---|
| reads or lists files beside its own libraries and data | | EACCES | |
| writes, makes, renames, removes, truncates files | EFBIG | EACCES | EPERM but for open |
| changes owners, modes, times, attributes of files | | | EPERM |
| executes programs | | EACCES | EPERM |
| starts processes | | | EPERM, or the gate decides |
| starts threads | | | the gate decides, where there is one |
| opens sockets (a stream socketpair is left), connects, binds | | TCP: EACCES | EPERM |
| sends descriptors | | | EPERM |
| signals any process, itself included | | outside: EPERM | EPERM |
| reads or traces other processes: ptrace, process_vm_readv, pidfd | | EPERM | EPERM |
| leaves its session, changes limits, priorities, namespaces, mounts | no capabilities | | EPERM |
| takes memory | MemoryError | | |
| takes the kernel's memory: memfd, IPC, wide pipes, timers, locks | limit 0 | EACCES | EPERM |
| takes many descriptors | EMFILE | | |
| uses descriptors that it inherited | they are /dev/null | | |
| uses calls of another architecture, or calls newer than this list | | | killed, ENOSYS |

What no layer denies: `stat` of any path, the time, and the processor, which the caller must bound.
"""

from training_sandbox_worker.jail.confinement import Confinement
from training_sandbox_worker.jail.jail import Jail
from training_sandbox_worker.jail.probe import probe

__all__ = ["Confinement", "Jail", "probe"]
