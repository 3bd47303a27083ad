"""Token files: content, disk, commands, and the task that keeps one."""
