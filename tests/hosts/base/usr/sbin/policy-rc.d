#!/bin/sh
# Nothing is started while packages are installed into a root that does not run.
exit 101
