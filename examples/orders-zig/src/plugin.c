/* The contract's functions, by the C SDK; the job is orders.zig. */
#define MILLRACE_IMPLEMENTATION
#include "millrace.h"

millrace_transform transform;

MILLRACE_TRANSFORM(NULL, transform);
