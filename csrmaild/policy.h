#ifndef CSRMAILD_POLICY_H
#define CSRMAILD_POLICY_H

#include "common/bytes.h"
#include "common/crl.h"
#include "common/key.h"
#include "common/names.h"
#include "common/owned.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * Rule sets: who may have what. One file per set under policies/rules, rules
 * in order, the first match decides. No clock, no store: what a rule may look
 * at is in struct petition.
 *
 *	rule "staff" {
 *		mailbox  = { "users" }		titles; none: any
 *		detail   = { "server" }		ca+server@ (RFC 5233); none: any
 *		sender   = { "*@example.org" }	From mailbox; none: any
 *		evidence = { "auth", "dkim" }	any one of these
 *		dns      = { "*.example.org" }	dNSName
 *		wildcard = { "example.org" }	dNSName "*.NAME", by its NAME
 *		email    = { "@sender" }	rfc822Name and emailAddress
 *		ip       = { "192.0.2.0/24" }	iPAddress
 *		uri      = { "urn:example:*" }
 *		cn       = { "@sender", "@san" }	commonName
 *		subject  = { "O=Example" }	every other attribute
 *		profile  = "user"		else the mailbox's
 *		days     = 365			else the profile's
 *		challenge_file = "/etc/csrmail/enrol.secrets"	none: not asked
 *		action   = sign | hold | reject
 *		text     = "for the answer"
 *	}
 *
 * A rule that signs matches when every name that is asked for, subject
 * included, is on the list of its kind; a kind without a list allows nothing,
 * and SmtpUTF8Mailbox has none. It must name evidence and at least one list
 * of names, and a request without any name does not match it. A rule that
 * holds or rejects matches when any one name is on its lists, or when it has
 * no lists of names. What no rule decides is held. A request from a forwarded
 * mail is never signed, only held (or rejected).
 *
 * Nobody is signed for who is not known, but by a rule that takes the evidence
 * "file": a request in a drop folder has no sender.
 *
 * With challenge_file a rule matches only when the request's challengePassword
 * (RFC 2985, 5.4.1) is one of the secrets in that file; it must still name
 * evidence to sign, since the password travels in the clear.
 *
 * Rules about revocations (csrmaild/revocation_mail.h) stand in the same set,
 * and are looked at for nothing else:
 *
 *	rule "by the key itself" {
 *		for      = "revocation"		else "certificate"
 *		own      = true			signed with its own key; else:
 *						by anybody
 *		sender   = { "*@example.org" }	and mailbox, detail: as above
 *		evidence = { "smime" }		and no other
 *		dns      = { "*.example.org" }	and the other lists: its names
 *		reason   = { "superseded" }	RFC 5280, 5.3.1; none: any, but
 *						to revoke, certificateHold
 *		action   = revoke | hold | reject
 *		text     = "for the answer"
 *	}
 *
 * One that revokes must have own, or sender and evidence; it matches when every
 * name of the certificate is on its lists, or when it has no lists of names.
 * "hold" leaves the decision to a person; it does not put the certificate on
 * hold.
 *
 * Patterns. "*" stands for any run of octets within one part of a name: a
 * label of a domain, the local part of a mailbox, in cn and subject anything
 * without "." and "@", in uri anything without a delimiter; once in a part.
 * "*." in front of a domain stands for one label or more, never for none.
 * Words: "@sender" is the From mailbox (local part exactly, domain in any
 * case); "@sender-domain" its domain (in email: every mailbox there);
 * "*.@sender-domain" what lies below it; "@san", in cn, any of the
 * subjectAltNames that are asked for. Lists know no tags: user+tag@ is not
 * user@.
 */
enum action {
	ACTION_SIGN = 1,
	ACTION_REVOKE = ACTION_SIGN,	/* what a rule about it grants */
	ACTION_HOLD,
	ACTION_REJECT,
};

/* One request, or one revocation, as policy sees it. Borrowed. */
struct petition {
	const char	*mailbox;
	const char	*detail;	/* of ca+DETAIL@; "" (or NULL) */
	const char	*sender;	/* From mailbox, "" unknown */
	uint8_t		 evidence;	/* set of enum evidence (wire.h) */
	bool		 forwarded;	/* found in a forwarded mail: b3 */
	const struct names *names;	/* of a revocation NULL: not known */
	const struct key_facts *key;
	const uint8_t	*challenge;	/* csr_digest_challenge; NULL: none */
	bool		 revocation;	/* and then also: */
	bool		 own;		/* signed with the certificate's key */
	enum crl_reason	 reason;
};

struct verdict {
	enum action	 action;
	char		 rule[64];	/* title of the rule; "default" */
	char		 text[256];
	char		 profile[64];	/* "" for the mailbox's */
	int64_t		 validity_s;	/* 0 for the profile's */
};

struct rules;
int	rules_parse(const char *name, const char *path, struct bytes text,
	    struct rules **out, struct err *);
void	rules_free(struct rules *);
OWNED_STRUCT_BY(rules, rules_free)
const char *rules_name(const struct rules *);
/* The file of secrets that the i-th rule names, "" for none; NULL after the
 * last rule. */
const char *rules_challenge_file(const struct rules *, size_t i);
/* What main read from that file (csrmaild/secrets.h), for every rule that
 * names it. Borrowed. Until then such a rule matches nothing. */
void	rules_set_secrets(struct rules *, const char *path,
	    struct bytes digests);

/* Always decides. `why`, when not NULL, gets one line for each rule looked
 * at: its title and what did not match ("csrmail policy test"). */
void	policy_decide(const struct rules *, const struct petition *,
	    struct verdict *, struct buf *why);

#endif
