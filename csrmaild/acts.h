#ifndef CSRMAILD_ACTS_H
#define CSRMAILD_ACTS_H

#include "common/bytes.h"
#include "common/crl.h"
#include "common/serial.h"

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct candidate;
struct cert_filter;
struct cert_row;
struct err;
struct profile;
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

/* --- revocation (csrmaild/acts_revoke*.c) --- */
/*
 * Reasons are those of RFC 5280, 5.3.1. keyCompromise blocks the key, and
 * revokes every other certificate in force with it. A certificate on hold may
 * be revoked for good; its date is then that of the hold. Whoever asked for
 * it by mail is told by one, in the same transaction.
 */
int	registrar_revoke(struct registrar *, int64_t ca,
	    const struct serial *, enum crl_reason, time_t invalidity,
	    const char *who, time_t now, struct err *);
/* The same, and whatever `also` writes, in one transaction: both or neither.
 * It is not called when the certificate cannot be revoked. answered: this
 * mailbox hears of it by another mail; NULL. */
int	registrar_revoke_and(struct registrar *, int64_t ca,
	    const struct serial *, enum crl_reason, time_t invalidity,
	    const char *who, time_t now, int (*also)(struct registrar *,
	    void *, struct err *), void *arg, const char *answered,
	    struct err *);
/*
 * The same inside the caller's transaction, but never a CA's certificate.
 * answered: this mailbox hears of it by another mail; NULL. 1, and nothing is
 * changed: it is not in force. What others are to be told of it waits:
 */
int	registrar_revoke_within(struct registrar *, int64_t ca,
	    const struct serial *, enum crl_reason, const char *who,
	    const char *answered, struct err *);
/* after the commit; or the transaction was taken back, to where r->n_revoked
 * was `mark`; or the registrar ends. */
void	registrar_tell_revoked(struct registrar *);
void	registrar_forget_revoked(struct registrar *, size_t mark);
void	registrar_free_revoked(struct registrar *);
/* A revocation that a mail asks for, and that waits for a person: its sender is
 * answered (csrmaild/acts_revocation.c). */
int	registrar_approve_revocation(struct registrar *, int64_t revocation,
	    const char *who, time_t now, struct err *);
int	registrar_reject_revocation(struct registrar *, int64_t revocation,
	    const char *why, const char *who, time_t now, struct err *);
/* Lift a hold. ERR_REJECT for what is revoked for good. */
int	registrar_release(struct registrar *, int64_t ca,
	    const struct serial *, const char *who, time_t now, struct err *);
/*
 * Revoke everything in force that the filter finds (its state, after and limit
 * are ours), in transactions of bounded size. n: how many are revoked by now,
 * also when it fails half-way. Certificates of CAs are left out unless the
 * filter names a key.
 */
int	registrar_revoke_all(struct registrar *, const struct cert_filter *,
	    enum crl_reason, time_t invalidity, const char *who, time_t now,
	    unsigned int *n, struct err *);
/*
 * The same for those with a name that the pattern matches (fnmatch(3), without
 * regard to case; NULL: all). Calls fn for each, at most limit, and changes
 * nothing.
 */
int	registrar_each_matching(struct registrar *,
	    const struct cert_filter *, const char *match, unsigned int limit,
	    int (*fn)(const struct cert_row *, void *), void *, struct err *);
/* expected: ERR_REJECT, and nothing is done, when another number matches. */
int	registrar_revoke_matching(struct registrar *,
	    const struct cert_filter *, const char *match,
	    unsigned int expected, enum crl_reason, time_t invalidity,
	    const char *who, time_t now, unsigned int *n, struct err *);
/* Is it the certificate of a CA of ours? */
bool	registrar_is_of_ca(const struct registrar *, const struct cert_row *);
/*
 * Revoke a CA's certificates under its parent, of all keys that the name means
 * (ca_is_meant), and everything below it: CAs
 * with the same reason, other certificates with it too but for the two
 * compromises, of which they get cessationOfOperation, since their own keys
 * are not known to be lost. No hold. ERR_REJECT when nothing is in force.
 */
int	registrar_revoke_ca(struct registrar *, const char *ca,
	    enum crl_reason, time_t invalidity, const char *who, time_t now,
	    unsigned int *n, struct err *);

/* --- renewal (csrmaild/acts_renew.c) --- */
struct renewal {
	int64_t		 ca;		/* which certificate */
	struct serial	 serial;
	int64_t		 validity_s;	/* 0: as it was, or as much of that as
					 * the profile allows by now */
	bool		 no_mail;
	bool		 revoke_old;	/* superseded, once the new one is
					 * issued */
	bool		 reissue;	/* revoke the old one at once */
	enum crl_reason	 reason;	/* of that */
};
/*
 * The request on record from which the certificate was made, if it can be
 * signed anew: then its octets, to be examined like any other. ERR_REJECT says
 * what to do instead: an imported certificate has none, a lost key is not
 * certified again.
 */
int	registrar_find_renewable(struct registrar *, const struct renewal *,
	    time_t now, struct buf *csr, struct err *);
/*
 * A new request with these octets (examined by now), approved by who asks, for
 * the same names and key by the profile as it is now. The certificate goes to
 * whom the old one went. A reissue revokes the old one in the same
 * transaction; with ERR_RETRY, and nothing done, while the CA's key is closed.
 */
int	registrar_renew(struct registrar *, const struct renewal *,
	    const struct candidate *, const char *who, time_t now,
	    int64_t *request, struct err *);

/* Have a file examined; verbs_examined gets the findings with that token. */
int	registrar_examine_csr(struct registrar *, struct bytes octets,
	    uint64_t token, struct err *);
/* A request by an admin, approved by handing it in. ca: one of its keys
 * ("users~1", "users~2") signs; by its name the one that signs then. */
int	registrar_add_cli_request(struct registrar *,
	    const struct candidate *, const char *ca, const char *profile,
	    int64_t validity_s, const char *who, time_t now,
	    int64_t *request, struct err *);
/*
 * Never certify this key again (common/key.h, key_digest_spki). Compromised:
 * every certificate in force that carries it is revoked too; revoked says how
 * many were, also when that failed half-way.
 */
int	registrar_block_key(struct registrar *,
	    const uint8_t spki_sha256[32], bool compromised, const char *why,
	    const char *who, time_t now, unsigned int *revoked, struct err *);
/* Tell the signer, after the commit. What does not reach its journals comes
 * again at the next start: */
void	registrar_tell_blocked(struct registrar *,
	    const uint8_t spki_sha256[32], time_t at);
/* The last REGISTRAR_MAX_BLOCKED_AGAIN keys that are blocked here, but not
 * those of lists. For a crash between commit and frame, imports, restores, and
 * keys that were blocked while no daemon ran. */
#define REGISTRAR_MAX_BLOCKED_AGAIN	10000
int	registrar_tell_blocked_again(struct registrar *, struct err *);
struct key_import {
	unsigned int	n_lines, n_new;
};
/* Lines of 64 hexadecimal digits (SHA-256 of a SubjectPublicKeyInfo) or 20
 * (openssl-blacklist). All of them, or none. */
int	registrar_import_keys(struct registrar *, const char *lines,
	    const char *why, const char *who, time_t now,
	    struct key_import *out, struct err *);
/* The profile that an administrator may name: a configured one, or the fixed
 * one of OCSP responders, for a request carried by hand. NULL: none. */
const struct profile *registrar_profile(const struct registrar *,
	    const char *name);
/* A new CRL soon. */
int	registrar_publish_crl(struct registrar *, const char *ca,
	    struct err *);
/* Have main check the configuration and start everything anew. */
int	registrar_reload(struct registrar *, const char *who, time_t now,
	    struct err *);
/* Adds "mailboxes", "smtp", "keys" and, to the array "trouble", sentences. */
void	registrar_describe_status(struct registrar *, json_t *out);

#endif
