#ifndef OCSPD_COUNTERS_H
#define OCSPD_COUNTERS_H

#include "common/bytes.h"
#include "common/owned.h"

#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * What a role of ocspd counts, for the monitor to show: shared memory that the
 * role makes and writes alone. Its descriptor is sealed, so that nobody can map
 * it for writing any more. One writer, any number of readers, no lock.
 *
 * Counting decides nothing and cannot fail. A reader believes nothing of it
 * either: the writer may be broken.
 */
enum counter {
	/* front */
	COUNT_CONNECTIONS,
	COUNT_CONNECTIONS_OPEN,		/* gauge */
	COUNT_REFUSED_FULL,
	COUNT_REFUSED_CLIENT,
	COUNT_GAVE_WAY,			/* idle, ended for a new one */
	COUNT_REFUSED_WAITING,		/* 503: max_waiting */
	COUNT_WAITING,			/* gauge: for the responder */
	COUNT_GET, COUNT_HEAD, COUNT_POST,
	COUNT_HTTP_200, COUNT_HTTP_206, COUNT_HTTP_304, COUNT_HTTP_400,
	COUNT_HTTP_404, COUNT_HTTP_405, COUNT_HTTP_408, COUNT_HTTP_411,
	COUNT_HTTP_412, COUNT_HTTP_413, COUNT_HTTP_414, COUNT_HTTP_415,
	COUNT_HTTP_416, COUNT_HTTP_417, COUNT_HTTP_429,
	COUNT_HTTP_431,
	COUNT_HTTP_501, COUNT_HTTP_503, COUNT_HTTP_505,
	COUNT_OCSP_HELD,		/* out of the table */
	COUNT_OCSP_SIGNED,		/* by the responder */
	COUNT_OCSP_MALFORMED,
	COUNT_OCSP_INTERNAL_ERROR,
	COUNT_OCSP_TRY_LATER,
	COUNT_OCSP_SIG_REQUIRED,
	COUNT_OCSP_UNAUTHORIZED,
	COUNT_CERT_ID_SHA1,		/* requests with a CertID by it */
	COUNT_CERT_ID_SHA256,
	COUNT_CERT_ID_OTHER,
	COUNT_FILES,
	COUNT_OCTETS_OUT,
	/* responder */
	COUNT_SIGNATURES,
	COUNT_SIGNATURES_FAILED,
	COUNT_SIGNATURES_AHEAD,		/* of those, unasked */
	COUNT_FOREIGN_NAME,		/* issuerNameHash of no CA here */
	COUNT_FOREIGN_KEY,		/* that name, another key */
	COUNT_STORE_FAILURES,
	COUNT_STORE_READ_AT,		/* gauge: Unix seconds; 0: never */
	COUNT_STORE_CHANGE,		/* gauge: change number */
	COUNT_STORE_MAX_AGE,		/* gauge: seconds; then it is trouble */
	N_COUNTERS
};

/* How a counter is called where it is shown: the metric's name without its
 * prefix, labels ("code=\"200\"" or ""), and what it is. */
struct counter_text {
	const char	*name, *labels, *help;
	bool		 gauge;
};
const struct counter_text *counter_text(enum counter);
/* Of an HTTP status that we answer with; N_COUNTERS for another. */
enum counter counter_of_status(unsigned int status);

/* --- the writer ------------------------------------------------------------ */
struct counters;

int	counters_new(struct counters **out, struct err *);
void	counters_free(struct counters *);
OWNED_STRUCT_BY(counters, counters_free)
/* The descriptor for the monitor; the caller's. */
int	counters_share(const struct counters *, struct err *);
/* counters NULL: nothing happens. */
void	counters_add(struct counters *, enum counter, uint64_t n);
void	counters_set(struct counters *, enum counter, uint64_t value);

/* The CAs that the responder answers for. */
#define COUNTERS_MAX_CAS	128
struct counted_ca {
	char		 name[64];
	int64_t		 not_before, not_after;	/* of the certificate that
						 * signs now; 0: none does */
};
/* All of them at once; what is beyond the limit is left out. */
void	counters_put_cas(struct counters *, const struct counted_ca *,
	    size_t n);

/* --- the reader ------------------------------------------------------------- */
struct counters_view;

/* fd is taken. Refuses what cannot be counters, or could shrink under us. */
int	counters_open(int fd, struct counters_view **out, struct err *);
void	counters_close(struct counters_view *);
OWNED_STRUCT_BY(counters_view, counters_close)
uint64_t counters_get(const struct counters_view *, enum counter);
/* out holds COUNTERS_MAX_CAS; names are ended and printable ASCII. Returns how
 * many; 0 also when the writer does not leave them alone. */
size_t	counters_get_cas(const struct counters_view *,
	    struct counted_ca *out);

#endif
