"""`vdap evaluate`: scores detectors and tracks on data sets, run folders and labelled videos."""
