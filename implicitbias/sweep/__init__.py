"""Running a study: tasks over workers or a cluster, what is kept, going on, collecting, and doing it again."""
