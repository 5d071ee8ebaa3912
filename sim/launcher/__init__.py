"""`vdap run`: starts the processes of one YAML, supervises them, gathers the run folder."""
