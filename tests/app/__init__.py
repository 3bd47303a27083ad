"""The broker as a whole: in-process by `running`, and as the process that `broker run` starts."""
