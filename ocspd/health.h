#ifndef OCSPD_HEALTH_H
#define OCSPD_HEALTH_H

#include "common/bytes.h"
#include "ocspd/counters.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the counters of all processes say, written for machines and people.
 * Pure: no socket, no clock.
 */
struct health_source {
	char			 name[24];	/* "responder", "front.0" */
	const struct counters_view *view;	/* NULL: it does not run */
};

/*
 * One JSON object: status ("ok" or "trouble") and trouble, a list of
 * sentences. Returns whether all is well. sources[0] is the responder.
 */
bool	health_put_json(struct buf *, const struct health_source *, size_t n,
	    int64_t now);
/* The text format of Prometheus, version 0.0.4. */
void	health_put_metrics(struct buf *, const struct health_source *,
	    size_t n, int64_t now);

#endif
