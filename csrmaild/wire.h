#ifndef CSRMAILD_WIRE_H
#define CSRMAILD_WIRE_H

#include "csrmaild/token.h"

#include "common/channel.h"
#include "common/crl.h"
#include "common/csr.h"
#include "common/frame.h"
#include "common/names.h"
#include "common/owned.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * What the roles of csrmaild say to each other (docs/wire.md). For each
 * message a struct, an encoder and a decoder. A decoder checks every length,
 * count and range against the limits here; -1 means the peer is broken and
 * must be ended. Views in decoded structs borrow from the frame; what must be
 * freed has a free function.
 */
enum wire_type {
	/* 1 to 19 are common/role.h's, between main and every role. */

	/* intake, registrar <-> parser */
	WIRE_EXAMINE = 20,
	WIRE_FINDINGS,

	/* intake <-> registrar */
	WIRE_SUBMIT = 30,
	WIRE_OUTCOME,
	WIRE_MAILBOX,		/* intake: how the connection does */
	WIRE_DELIVER,		/* registrar: a mail that a person hands in;
				 * WIRE_SEND and WIRE_SENT too, with what is
				 * written into a folder */

	/* registrar <-> signer */
	WIRE_ISSUE = 40,
	WIRE_ISSUED,
	WIRE_REFUSED,
	WIRE_CRL_OPEN,
	WIRE_CRL_ENTRIES,
	WIRE_CRL_CLOSE,
	WIRE_CRL_DONE,
	WIRE_REVOKED,		/* registrar: for the journal */
	WIRE_KEYS,		/* signer: which CA keys it has open */
	WIRE_BLOCKED,		/* registrar: for all journals */

	/* registrar <-> submit */
	WIRE_SEND = 60,
	WIRE_SENT,

	/* registrar <-> sealer */
	WIRE_SEAL = 62,
	WIRE_SEALED,
	WIRE_SEALS,		/* sealer: whether a mailbox can sign */

	/* registrar <-> api */
	WIRE_CONNECTION = 70,	/* with the descriptor */
	WIRE_CALL,
	WIRE_RESULT,
	WIRE_CLOSED,

	/* registrar <-> main, on the control channel */
	WIRE_RELOAD = 80,	/* check the configuration, start anew */
	WIRE_RELOADED,		/* the payload says why not; empty: done */

	/* intake, submit <-> main, on the control channel */
	WIRE_TOKEN_FILE = 82,	/* open it anew; no payload */
	WIRE_TOKEN_OPENED,

	/* intake, submit <-> exec */
	WIRE_TOKEN_WANTED = 90,
	WIRE_TOKEN,
};

/* Limits on what crosses, octets. The configuration may ask for less. */
#define WIRE_MAX_MESSAGE	(64u << 20)	/* one mail to the parser */
#define WIRE_MAX_ANCHORS	(64u << 10)
#define WIRE_MAX_DKIM_KEYS	(8u << 10)
#define WIRE_MAX_EXAMINE	(WIRE_MAX_MESSAGE + WIRE_MAX_ANCHORS + \
	    WIRE_MAX_DKIM_KEYS + 64)
#define WIRE_MAX_FINDINGS	(1u << 20)
#define WIRE_MAX_SUBMIT		(1u << 20)
#define WIRE_MAX_ISSUE		(64u << 10)
#define WIRE_MAX_CALL		(256u << 10)
#define WIRE_MAX_RESULT		(16u << 20)
#define WIRE_MAX_MAIL		(1u << 20)	/* one mail to send */
#define WIRE_MAX_SEAL		(128u << 10)	/* what a signature adds */
#define WIRE_MAX_REPLY		(WIRE_MAX_MAIL - WIRE_MAX_SEAL)	/* one that we
						 * write: signed, it still is
						 * one to send */
#define WIRE_MAX_CANDIDATES	32
#define WIRE_MAX_PARTS		100
#define WIRE_MAX_WISHES		16

#define MAILBOX_MAX	254		/* RFC 5321, 4.5.3.1 */

/* --- parser -------------------------------------------------------------- */
enum examine_kind {
	EXAMINE_MAIL = 1,	/* a whole message, RFC 5322 */
	EXAMINE_CSR,		/* a file: PEM or DER, one or more CSRs */
	EXAMINE_SIGNED,		/* a whole message that is S/MIME as a whole:
				 * who signed it, and what (smime.h) */
	EXAMINE_DKIM,		/* a whole message: is one of these DKIM
				 * signatures good (dkim_check.h)? */
};

/* The octets follow the header in the same frame. */
struct wire_examine {
	uint64_t	 id;		/* comes back in the findings */
	enum examine_kind kind;
	uint32_t	 max_depth, max_parts, max_header_octets;
	struct bytes	 octets;	/* borrowed */
	struct bytes	 anchors;	/* EXAMINE_SIGNED: certificates in PEM
					 * that a chain may end in */
	struct bytes	 dkim_keys;	/* EXAMINE_DKIM: which signatures, and
					 * their keys (dkim_keys_put) */
};
int	wire_send_examine(struct channel *, const struct wire_examine *,
	    struct err *);
int	wire_get_examine(const struct frame *, struct wire_examine *,
	    struct err *);

enum findings_status {
	FINDINGS_OK = 1,	/* read; candidates may be none */
	FINDINGS_REFUSED,	/* the message as a whole: text says why */
	FINDINGS_UNREADABLE,	/* the parser died, or took too long */
};

/* One CSR that was found, good or not. */
struct candidate {
	bool		 forwarded;	/* in message/rfc822 or quoted: held */
	bool		 good;		/* else text says what is wrong */
	char		 text[256];
	struct bytes	 der;		/* borrowed; empty if undecodable */
	/* The rest for good ones only. */
	uint8_t		 digest[32];
	struct key_facts key;
	struct bytes	 modulus;	/* RSA's, big-endian: borrowed; empty
					 * for other kinds */
	struct names	 names;		/* owned */
	char		 ignored[256];
	bool		 has_challenge;	/* a challengePassword, of which */
	uint8_t		 challenge[32];	/* only csr_digest_challenge travels */
};

/* What a line of the text asks for besides (csrmaild/wish.h). */
enum wish_kind {
	WISH_REVOKE = 1,
	WISH_STATUS,
	WISH_CONFIRM,		/* nothing without the code in the Subject */
};
struct wish {
	enum wish_kind	 kind;
	struct serial	 serial;	/* len 0: none is named */
	enum crl_reason	 reason;	/* of a revocation */
	uint64_t	 request;	/* STATUS: its number; 0: none */
};

/*
 * An S/MIME signature (RFC 8551), as the fork says that saw nothing but
 * OpenSSL's CMS. Whose certificate it is, and whether that is revoked, the
 * registrar finds out: one of ours is recognised by its octets.
 */
#define WIRE_MAX_SIGNER		(16u << 10)
#define WIRE_MAX_ADDRESSES	8
struct signature {
	bool		 good;		/* over the octets covered */
	char		 text[256];	/* why not */
	struct bytes	 der;		/* signer's certificate, borrowed */
	struct serial	 serial;	/* of it: where to look */
	bool		 for_mail;	/* it may sign mail */
	bool		 anchored;	/* a chain to a configured anchor, valid
					 * now, for e-mail protection */
	size_t		 n_addresses;	/* of the certificate, ASCII only */
	char		 addresses[WIRE_MAX_ADDRESSES][MAILBOX_MAX + 1];
	int64_t		 signed_at;	/* the signer's word; 0: none */
};

/* What the fork says that saw nothing but libopendkim. */
struct dkim_result {
	bool		 good;
	unsigned int	 nth;		/* which of the message's DKIM-Signature
					 * fields, from 0: the good one, or the
					 * last that was looked at */
	char		 text[128];	/* why that is not good */
};

struct findings {
	uint64_t	 id;
	enum findings_status status;
	char		 text[256];	/* "" when ok */
	bool		 private_key;	/* one was in there */
	bool		 has_burnt;	/* and this is its public half */
	uint8_t		 burnt_spki_sha256[32];
	size_t		 n_candidates;
	struct candidate candidates[WIRE_MAX_CANDIDATES];
	size_t		 n_parts;	/* what was seen, for "no request" */
	char		 parts[WIRE_MAX_PARTS][80];
	uint32_t	 hints;		/* HINT_BIT of csrmaild/hint.h, for the
					 * same answer */
	size_t		 n_wishes;
	struct wish	 wishes[WIRE_MAX_WISHES];
	/* A delivery status notification (RFC 3464): which of our mails it is
	 * about, without <>, and what it says. "": it is none. */
	char		 bounced_id[256];
	char		 bounce[256];
	/* EXAMINE_SIGNED only; all else is empty then. */
	bool		 is_signed;
	struct signature signature;
	/* What the signature covers, a MIME entity: to be examined next. The
	 * place in the octets that were asked about, or (opaque signatures)
	 * the content itself, borrowed. */
	uint32_t	 covered_at, covered_len;
	struct bytes	 content;
	/* EXAMINE_DKIM only; all else is empty then. */
	bool		 is_dkim;
	struct dkim_result dkim;
};
/* As payload, so that intake and the parser parent can pass them on. */
void	put_findings(struct buf *, const struct findings *);
/* Fails the cursor when broken. *out is owned; views borrow the payload. */
void	get_findings(struct cursor *, struct findings **out);
void	findings_free(struct findings *);
OWNED_STRUCT_BY(findings, findings_free)
/* Are they of the kind that was asked for? Without status OK they always are:
 * they say nothing else. */
bool	findings_answer(const struct findings *, enum examine_kind);
/* Is there such a wish? */
bool	findings_ask_for(const struct findings *, enum wish_kind);

/* --- intake -> registrar --------------------------------------------------- */
/* Evidence is a set, without an order. */
enum evidence {
	EVIDENCE_AUTH	= 1 << 0,
	EVIDENCE_DKIM	= 1 << 1,
	EVIDENCE_SMIME	= 1 << 2,
	EVIDENCE_REPLY	= 1 << 3,
	EVIDENCE_FILE	= 1 << 4,	/* it lay in the drop folder, where only
					 * those write whom the administrator
					 * lets */
};
#define EVIDENCE_ALL	31u

/* What intake's own scanner says of the raw header; nothing here was parsed
 * by a MIME library. */
struct envelope {
	char		 from[MAILBOX_MAX + 1];	/* the one From mailbox,
						 * domain lower case; "" when
						 * there is not exactly one */
	uint8_t		 evidence;	/* set of enum evidence */
	char		 automatic[80];	/* why it is automatic mail, "" */
	char		 message_id[256];	/* without <>; "" when absent or
						 * not well-formed */
	char		 references[1000];	/* "<a> <b>", for the reply */
	char		 subject[201];	/* raw field text, unfolded, cut */
	int64_t		 date;		/* 0: absent or not understood */
	char		 detail[64];	/* of the address that it was sent to:
					 * "server" of ca+server@ (RFC 5233);
					 * "" for none */
	char		 language[16];	/* Content-Language (RFC 3282), the
					 * first tag, lower case; "" */
	bool		 has_token;	/* of a challenge of ours: */
	uint8_t		 token[32];	/* SHA-256 of it */
};

/* How a submission came. */
enum channel_kind {
	CHANNEL_MAIL = 1,
	CHANNEL_FILE,		/* a drop folder (RFC 10003, 4) */
	CHANNEL_CLI,		/* handed in by a person, `mail submit` */
};
const char *channel_kind_name(enum channel_kind);	/* "mail", ... */

#define WIRE_MAX_FILE	200	/* octets of a file's name that travel; UTF-8,
				 * without control characters and "/" */

struct wire_submit {
	uint64_t	 id;
	char		 mailbox[64];	/* its title in the configuration */
	uint32_t	 uid_validity, uid;
	uint64_t	 octets;	/* size of the message */
	uint8_t		 octets_digest[32];	/* SHA-256 without trace fields */
	enum channel_kind channel;
	char		 file[WIRE_MAX_FILE + 1];	/* its name, made fit to
						 * be the answers'; "" by mail */
	uint32_t	 owner;		/* CHANNEL_FILE: the file's uid */
	uint64_t	 delivery;	/* CHANNEL_CLI: of WIRE_DELIVER; else 0 */
	struct envelope	 envelope;	/* all empty for a CSR in a file of its
					 * own */
	bool		 is_signed;
	struct signature signature;	/* borrows from the frame; findings are
					 * then of what it covers alone */
	struct findings	*findings;	/* owned */
};
int	wire_send_submit(struct channel *, const struct wire_submit *,
	    struct err *);
int	wire_get_submit(const struct frame *, struct wire_submit *,
	    struct err *);
void	wire_submit_free_contents(struct wire_submit *);

/* Where intake files the message. Only OUTCOME allows it to be moved. */
enum outcome {
	OUTCOME_PROCESSED = 1,
	OUTCOME_HELD,
	OUTCOME_REJECTED,
	OUTCOME_UNREADABLE,
};
const char *outcome_name(enum outcome);	/* "processed", ... */
int	outcome_from_name(const char *, enum outcome *);
struct wire_outcome {
	uint64_t	 id;
	enum outcome	 outcome;
};
int	wire_send_outcome(struct channel *, const struct wire_outcome *,
	    struct err *);
int	wire_get_outcome(const struct frame *, struct wire_outcome *,
	    struct err *);

/* Carried like what was found in the mailbox itself; comes back as a SUBMIT
 * with its id. Who handed it in is the registrar's to know. */
struct wire_deliver {
	uint64_t	 id;		/* not 0 */
	char		 file[WIRE_MAX_FILE + 1];	/* its name, as wire_submit's */
};
/* fd is taken: a sealed memfd with the octets. */
int	wire_send_deliver(struct channel *, const struct wire_deliver *,
	    int fd, struct err *);
int	wire_get_deliver(const struct frame *, struct wire_deliver *,
	    struct err *);

/* How a mailbox (or the SMTP server) does, for `csrmail status`. */
struct wire_mailbox {
	char		 mailbox[64];
	bool		 connected;
	char		 text[256];	/* what the server last answered */
	char		 trouble[256];	/* with single messages; "" none */
	int64_t		 since;
	int64_t		 next_attempt;	/* Unix seconds; 0: none is planned */
};
int	wire_send_mailbox(struct channel *, const struct wire_mailbox *,
	    struct err *);
int	wire_get_mailbox(const struct frame *, struct wire_mailbox *,
	    struct err *);

/* --- registrar <-> signer --------------------------------------------------- */
/* ISSUE's payload is order_encode (common/issue.h). */
struct wire_issued {
	char		 ca[64];
	struct serial	 serial;
	struct bytes	 der;		/* borrowed */
};
int	wire_send_issued(struct channel *, const struct wire_issued *,
	    struct err *);
int	wire_get_issued(const struct frame *, struct wire_issued *,
	    struct err *);

/* The signer will not (kind ERR_REJECT, ERR_FAULT) or cannot now (RETRY). */
struct wire_refused {
	char		 ca[64];
	struct serial	 serial;
	uint8_t		 kind;		/* enum err_kind */
	char		 text[256];
};
int	wire_send_refused(struct channel *, const struct wire_refused *,
	    struct err *);
int	wire_get_refused(const struct frame *, struct wire_refused *,
	    struct err *);

/*
 * A CRL: OPEN (the frame carries the descriptor to write to), ENTRIES as
 * often as needed, CLOSE with an empty payload; DONE answers, or REFUSED with
 * an empty serial. One at a time.
 */
struct wire_crl_open {
	char		 ca[64];
	struct crl_terms terms;		/* without addresses: the signer puts
					 * in those of its configuration */
};
int	wire_send_crl_open(struct channel *, const struct wire_crl_open *,
	    int fd, struct err *);
int	wire_get_crl_open(const struct frame *, struct wire_crl_open *,
	    struct err *);
#define WIRE_MAX_CRL_ENTRIES	1000
int	wire_send_crl_entries(struct channel *, const struct crl_entry *,
	    size_t n, struct err *);
/* out holds WIRE_MAX_CRL_ENTRIES. */
int	wire_get_crl_entries(const struct frame *, struct crl_entry *out,
	    size_t *n, struct err *);
int	wire_send_crl_close(struct channel *, struct err *);
struct wire_crl_done {
	char		 ca[64];
	uint64_t	 number;
};
int	wire_send_crl_done(struct channel *, const struct wire_crl_done *,
	    struct err *);
int	wire_get_crl_done(const struct frame *, struct wire_crl_done *,
	    struct err *);
/* For the signer's journal, also that a hold was lifted: reason
 * CRL_REMOVE_FROM_CRL. No answer. */
struct wire_revoked {
	char		 ca[64];
	struct crl_entry entry;
};
int	wire_send_revoked(struct channel *, const struct wire_revoked *,
	    struct err *);
int	wire_get_revoked(const struct frame *, struct wire_revoked *,
	    struct err *);
/* A key that no CA is to certify again, for the signer's journals. One that is
 * in them already changes nothing. No answer. */
struct wire_blocked {
	uint8_t		 spki_sha256[32];	/* key_digest_spki */
	int64_t		 at;
};
int	wire_send_blocked(struct channel *, const struct wire_blocked *,
	    struct err *);
int	wire_get_blocked(const struct frame *, struct wire_blocked *,
	    struct err *);
/* One for each CA, after READY and at each change. */
struct wire_keys {
	char		 ca[64];
	bool		 open;
	char		 text[256];	/* why not */
	char		 who[80];	/* the principal who opened or closed
					 * it by hand, for the audit; or "" */
};
int	wire_send_keys(struct channel *, const struct wire_keys *,
	    struct err *);
int	wire_get_keys(const struct frame *, struct wire_keys *, struct err *);

/* --- registrar <-> submit; intake, for a folder ------------------------------- */
#define FILE_RECIPIENT	"file:"	/* and a name: an answer that is written into
				 * the out folder (csrmaild/drop_answer.h) */
struct wire_send {
	uint64_t	 id;		/* outbox row */
	char		 sender[MAILBOX_MAX + 1];	/* "" is <> */
	char		 recipient[MAILBOX_MAX + 1];
	struct bytes	 message;	/* borrowed */
};
int	wire_send_send(struct channel *, const struct wire_send *,
	    struct err *);
int	wire_get_send(const struct frame *, struct wire_send *, struct err *);
enum sent_result {
	SENT_ACCEPTED = 1,
	SENT_DEFERRED,		/* again later, same Message-ID */
	SENT_REFUSED,		/* for good */
};
struct wire_sent {
	uint64_t	 id;
	enum sent_result result;
	uint16_t	 code;		/* SMTP reply code; 0: none came */
	char		 text[256];	/* what the server, or we, say */
};
int	wire_send_sent(struct channel *, const struct wire_sent *,
	    struct err *);
int	wire_get_sent(const struct frame *, struct wire_sent *, struct err *);

/* --- registrar <-> sealer ---------------------------------------------------- */
struct wire_seal {
	uint64_t	 id;		/* outbox row */
	char		 mailbox[64];	/* its title in the configuration */
	struct bytes	 message;	/* unsigned; borrowed */
};
int	wire_send_seal(struct channel *, const struct wire_seal *,
	    struct err *);
int	wire_get_seal(const struct frame *, struct wire_seal *, struct err *);
struct wire_sealed {
	uint64_t	 id;
	struct bytes	 message;	/* signed, to be sent as it is; or empty,
					 * and then: */
	char		 text[256];	/* why not */
};
int	wire_send_sealed(struct channel *, const struct wire_sealed *,
	    struct err *);
int	wire_get_sealed(const struct frame *, struct wire_sealed *,
	    struct err *);
/* One for each mailbox that signs, after READY and at each change. */
struct wire_seals {
	char		 mailbox[64];
	bool		 able;		/* now */
	char		 text[256];	/* why not; or what is to be done soon */
};
int	wire_send_seals(struct channel *, const struct wire_seals *,
	    struct err *);
int	wire_get_seals(const struct frame *, struct wire_seals *,
	    struct err *);

/* --- registrar <-> api -------------------------------------------------------- */
/* may_upload: it may send octets; api must hold them. */
int	wire_send_connection(struct channel *, uint64_t connection,
	    bool may_upload, int fd, struct err *);
int	wire_get_connection(const struct frame *, uint64_t *connection,
	    bool *may_upload, struct err *);
/* api names nothing but the connection's number: who is behind it only the
 * registrar knows. */
struct wire_call {
	uint64_t	 connection;
	uint64_t	 call;		/* api's own number, comes back */
	char		 method[8];	/* GET, POST */
	char		 path[256];	/* below /api/v1, without the query */
	struct bytes	 json;		/* canonical; query and body as one
					 * object; borrowed */
	/* The body instead, when it is not JSON: in a sealed memfd, of which
	 * nobody between caller and intake reads an octet. */
	bool		 has_octets;
	int		 octets;	/* descriptor; sending takes it */
};
int	wire_send_call(struct channel *, const struct wire_call *,
	    struct err *);
int	wire_get_call(const struct frame *, struct wire_call *, struct err *);
struct wire_result {
	uint64_t	 connection, call;
	uint16_t	 status;	/* HTTP */
	struct bytes	 json;		/* borrowed */
};
int	wire_send_result(struct channel *, const struct wire_result *,
	    struct err *);
int	wire_get_result(const struct frame *, struct wire_result *,
	    struct err *);
int	wire_send_closed(struct channel *, uint64_t connection, struct err *);
int	wire_get_closed(const struct frame *, uint64_t *connection,
	    struct err *);

/* --- intake, submit <-> main, exec: tokens ----------------------------------- */
/* Whose file or command it is follows from who asks. */
int	wire_send_token_file(struct channel *control, struct err *);
/* fd is taken; -1: text says why not. */
int	wire_send_token_opened(struct channel *control, int fd,
	    const char *text, struct err *);
int	wire_get_token_opened(const struct frame *, char text[256],
	    struct err *);

#define WIRE_MAX_TOKEN	(TOKEN_MAX + 512)	/* octets of payload */
struct wire_token {
	uint64_t	 id;		/* of the question */
	struct token	 token;		/* text "": none, and why */
	char		 text[256];
};
int	wire_send_token_wanted(struct channel *, uint64_t id, struct err *);
int	wire_get_token_wanted(const struct frame *, uint64_t *id,
	    struct err *);
int	wire_send_token(struct channel *, const struct wire_token *,
	    struct err *);
int	wire_get_token(const struct frame *, struct wire_token *,
	    struct err *);

#endif
