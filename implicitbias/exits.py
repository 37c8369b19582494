"""The exit codes of the command line, each with its one meaning."""

DONE, NO, UNUSABLE, NOT_WRITTEN, FAULT, INTERRUPTED, NO_READER, TERMINATED = 0, 1, 2, 3, 4, 130, 141, 143

MEANINGS = {
    DONE: "done",
    NO: "done, and the answer is no: a claim fails, runs are missing, or a stored run comes out differently",
    UNUSABLE: "the command line, a file, a setting or the data cannot be used; each mistake has its sentence",
    NOT_WRITTEN: "results or output could not be written, such as on a full disk; what is stored is whole",
    FAULT: "a fault of implicitbias itself, with a traceback to report",
    INTERRUPTED: "interrupted by Ctrl-C (SIGINT); what was computed is stored",
    NO_READER: "done, but the reader of the output left before its end (SIGPIPE), as `head` does",
    TERMINATED: "ended by SIGTERM; what was computed is stored",
}
