/* What the plugin takes from C, for translate-c. */
#include "millrace.h"
#include "millrace_json.h"
