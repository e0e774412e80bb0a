module pseudonymize

go 1.24

require millrace v0.0.0

replace millrace => ../../guest-sdk/go
