#ifndef CSRMAILD_VERB_H
#define CSRMAILD_VERB_H

#include "csrmaild/principal.h"

#include "common/bytes.h"
#include "common/crl.h"

#include <jansson.h>

#include <stdint.h>
#include <time.h>

struct err;
struct findings;
struct registrar;
struct renewal;

/*
 * Between the table of verbs (verbs.c) and the handlers, one file a noun:
 * rights, path and arguments are checked before a handler runs.
 */
struct verb_call {
	struct registrar *registrar;
	uint64_t	 connection, call;
	unsigned int	 rights;
	char		 who[PRINCIPAL_TEXT_SIZE];
	char		 part[256];	/* what stood for the path's "*" */
	const json_t	*args;		/* an object; borrowed */
	int		 octets;	/* sealed memfd that came as the body;
					 * borrowed; -1: none */
	time_t		 now;
	uint16_t	 status;	/* 200 unless the handler says else */
	json_t		*answer;	/* owned; an object to be filled */
	char		 problem[256];	/* "" when all went well */
};

/* A handler returns 0 when it has answered, 1 when it will. */
typedef int verb_handler(struct verb_call *);

verb_handler verb_ca_list, verb_ca_show, verb_ca_revoke, verb_crl_list, verb_crl_update,
    verb_crl_install;
verb_handler verb_request_list, verb_request_show, verb_request_approve,
    verb_request_reject, verb_request_add;
verb_handler verb_mail_submit, verb_submission_requests;
verb_handler verb_revocation_list, verb_revocation_show,
    verb_revocation_approve, verb_revocation_reject;
verb_handler verb_cert_list, verb_cert_show, verb_cert_revoke,
    verb_cert_unhold, verb_cert_revoke_matching, verb_cert_renew,
    verb_cert_reissue;
verb_handler verb_key_list, verb_key_block, verb_key_import;
verb_handler verb_outbox_list, verb_outbox_show, verb_outbox_retry;
verb_handler verb_audit_list, verb_audit_verify,
    verb_status, verb_reload;

/* Have the request on record examined anew; then it is approved like one that
 * was handed in, and the answer is its number too. */
int	verb_request_renew(struct verb_call *, const struct renewal *);
/* The tail of verb_request_add and verb_request_renew, and what else ends
 * their wait. */
void	verb_request_examined(struct registrar *, uint64_t token,
	    const struct findings *);
void	verb_request_closed(uint64_t connection);
void	verb_request_expire(struct registrar *, time_t now);

/* Each returns 0, so that a handler ends in `return verb_refuse(...)`. */
int	verb_refuse(struct verb_call *, uint16_t status, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));
int	verb_fail(struct verb_call *, const struct err *);
uint16_t verb_status_of(const struct err *);

/* Arguments: the table has checked kind and range. */
const char *verb_text(const struct verb_call *, const char *name);
int64_t	verb_number(const struct verb_call *, const char *name,
	    int64_t otherwise);
unsigned int verb_limit(const struct verb_call *);
/* The arguments "reason" and "invalidity" of a revocation; -1 and refused.
 * *reason stays when none is given, which the verb's arguments allow or not. */
int	verb_revocation(struct verb_call *, enum crl_reason *,
	    time_t *invalidity);
/* Who may have a certificate made of that profile: of responders only those
 * who decide about CAs. -1 and refused. */
int	verb_check_profile(struct verb_call *, const char *profile);
/* Everything with that key is to be revoked: -1 and refused when a CA's
 * certificate has it and the caller does not decide about CAs. */
int	verb_check_key(struct verb_call *, const uint8_t spki_sha256[32]);
/*
 * To the answer: the list of that CA has to say so now. "lists" are made here,
 * each key's own; "carried" by CAs whose key is elsewhere, where somebody has
 * to revoke it too, and bring the list.
 */
void	verb_tell_list(struct verb_call *, const char *issuer);
/* The path's part as a positive number; 0: it is none. */
int64_t	verb_id(const struct verb_call *);

/* A page: the rows as "items", and the key after which the next begins. */
struct verb_page {
	struct verb_call *call;
	json_t		*items;		/* owned by call->answer */
	unsigned int	 limit;
	unsigned int	 n;
};
void	verb_page_open(struct verb_page *, struct verb_call *);
/* row is taken. id: its key. */
void	verb_page_add(struct verb_page *, json_t *row, int64_t id);

#endif
