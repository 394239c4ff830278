#ifndef CSRMAILD_CTL_CERT_H
#define CSRMAILD_CTL_CERT_H

#include <jansson.h>

struct ctl;
struct err;

/* What the commands about certificates share. */

/* The certificate as the API describes it; --ca (NULL: any) tells which when
 * several have used the serial. To be json_decref'd. */
int	cert_get(struct ctl *, const char *serial, const char *ca,
	    json_t **out, struct err *);
/* Do the options ask for one form, with all that it needs? EX_USAGE; before
 * anything is signed for it. */
int	cert_check_form(struct ctl *, struct err *);
/* To --output in the form that the options ask for (cert_export.c). */
int	cert_export(struct ctl *, const json_t *cert, struct err *);
/* Wait for what the request becomes, write that, and say so. */
int	cert_await(struct ctl *, const char *request, long timeout_s,
	    struct err *);

#endif
