"""Studies in virtual time: policies against each other and an oracle (`vdap experiment`)."""
