#include "csrmaild/ctl/wait.h"

#include "csrmaild/ctl/ctl.h"

#include "common/clock.h"
#include "common/err.h"

#include <string.h>
#include <time.h>

#define STEP_MS	50

int
wait_until_issued(struct ctl *ctl, const char *id, long timeout_s,
    json_t **out, struct err *err)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	const int64_t end = clock_monotonic_ms() + timeout_s * 1000;
	OWNED_BUF(path, 512);

	client_path(&path, "requests/", id, "");
	for (;;) {
		json_t *request = NULL;
		const char *state;
		bool waits;

		if (client_get(ctl, buf_str(&path), NULL, &request, err) != 0)
			return -1;
		state = json_string_value(json_object_get(request, "state"));
		waits = state != NULL && (strcmp(state, "approved") == 0 ||
		    strcmp(state, "received") == 0);
		if (timeout_s == 0 ||
		    (state != NULL && strcmp(state, "issued") == 0)) {
			*out = request;
			return 0;
		}
		if (!waits) {
			const char *why = json_string_value(
			    json_object_get(request, "reason"));

			ctl_fail(ctl, EX_DATAERR, err, "request %s is %s%s%s",
			    id, state == NULL ? "unknown" : state,
			    why == NULL ? "" : ": ", why == NULL ? "" : why);
			json_decref(request);
			return -1;
		}
		json_decref(request);
		if (clock_monotonic_ms() >= end)
			return ctl_fail(ctl, EX_TEMPFAIL, err, "request %s is "
			    "not signed yet; csrmail request show %s will "
			    "tell", id, id);
		nanosleep(&step, NULL);
	}
}
