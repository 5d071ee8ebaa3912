"""`vdap detect`: what every detector finds in a recorded drive, stored for repeatable studies."""
