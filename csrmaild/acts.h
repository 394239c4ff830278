#ifndef CSRMAILD_ACTS_H
#define CSRMAILD_ACTS_H

#include "common/bytes.h"
#include "common/crl.h"
#include "common/serial.h"

#include <jansson.h>

#include <stdint.h>
#include <time.h>

struct candidate;
struct err;
struct registrar;

/*
 * What people do through the verbs (csrmaild/verbs.h). Each act is one
 * transaction. who: "unix:root". ERR_REJECT when it makes no sense (any
 * more), with a text for the one who asked.
 */
int	registrar_approve(struct registrar *, int64_t request,
	    const char *who, time_t now, struct err *);
int	registrar_reject(struct registrar *, int64_t request,
	    const char *reason, const char *who, time_t now, struct err *);
int	registrar_revoke(struct registrar *, int64_t ca,
	    const struct serial *, enum crl_reason, time_t invalidity,
	    const char *who, time_t now, struct err *);
/* Have a file examined; verbs_examined gets the findings with that token. */
int	registrar_examine_csr(struct registrar *, struct bytes octets,
	    uint64_t token, struct err *);
/* A request by an admin, approved by handing it in. */
int	registrar_add_cli_request(struct registrar *,
	    const struct candidate *, const char *ca, const char *profile,
	    int64_t validity_s, const char *who, time_t now,
	    int64_t *request, struct err *);
/* A new CRL soon. */
int	registrar_publish_crl(struct registrar *, const char *ca,
	    struct err *);
/* Have main check the configuration and start everything anew. */
int	registrar_reload(struct registrar *, const char *who, time_t now,
	    struct err *);
/* Adds "mailboxes", "smtp", "keys" and, to the array "trouble", sentences. */
void	registrar_describe_status(struct registrar *, json_t *out);

#endif
