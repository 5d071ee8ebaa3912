"""`vdap profile`: what each model costs in each runtime on this machine."""
