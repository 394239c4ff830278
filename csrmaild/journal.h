#ifndef CSRMAILD_JOURNAL_H
#define CSRMAILD_JOURNAL_H

#include "common/bytes.h"
#include "common/crl.h"
#include "common/owned.h"
#include "common/serial.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * The signer's own memory of one CA: what it signed, what was revoked, which
 * CRL numbers it used and which keys are blocked. Append-only, beside the store
 * and independent of it, so that neither a crash between signing and commit nor
 * a store restored from an old backup makes a second certificate with one
 * serial, or one for a key that was reported.
 *
 * One file a CA, held under flock(2) while it is open: a second process gets
 * ERR_RETRY. Records wait in memory until journal_sync writes them as one
 * group, framed by its length and a SHA-256 that covers the group before it
 * too. On opening, a last group that a crash cut short is cut off; nobody was
 * told of it. Any other damage is ERR_FAULT.
 *
 * Does not know what an order is, and of a certificate no more than its key;
 * reads no clock.
 */
#define JOURNAL_MAX_DER		(64 * 1024)

struct journal;

/*
 * dir_fd	the folder, borrowed.
 * file		within it. One that is absent is made (0600) only when create
 *		says so, which is when the CA is: a journal that vanishes later
 *		takes with it what it protects. An empty one is a new one.
 * ca		whose journal it is; one of another CA is refused.
 */
int	journal_open(int dir_fd, const char *file, const char *ca,
	    bool create, struct journal **out, struct err *);
/* What was not synced is forgotten. */
void	journal_free(struct journal *);
OWNED_STRUCT_BY(journal, journal_free)

struct journal_issued {
	struct serial	 serial;
	uint8_t		 order_digest[32];	/* SHA-256 of the order */
	uint8_t		 tbs_digest[32];	/* of the tbsCertificate */
	struct bytes	 der;	/* the certificate; from journal_find it
				 * is borrowed until the next call */
};
/* 0 found (also before it is synced), 1 never signed, -1. */
int	journal_find(struct journal *, const struct serial *,
	    struct journal_issued *out, struct err *);
/* ERR_FAULT for a serial that is there already. */
int	journal_append_issued(struct journal *, const struct journal_issued *,
	    struct err *);
/* With keyCompromise or cACompromise it blocks the key too, if the certificate
 * is on record here. */
int	journal_append_revoked(struct journal *, const struct crl_entry *,
	    struct err *);
struct journal_blocked {
	uint8_t		 spki_sha256[32];	/* key_digest_spki */
	int64_t		 at;	/* Unix seconds, UTC */
};
/* Writes nothing when the key is blocked here already. For good: nothing takes
 * it back. */
int	journal_append_blocked(struct journal *,
	    const struct journal_blocked *, struct err *);
/* 0 blocked (also before it is synced), 1 not, -1. */
int	journal_is_blocked(struct journal *, const uint8_t spki_sha256[32],
	    struct err *);
/* ERR_FAULT unless the number is above all before (or that of the full one
 * just before a delta), and ERR_RETRY when thisUpdate would go back (RFC 5280,
 * 5.2.3). Addresses are not kept. */
int	journal_append_crl(struct journal *, const struct crl_terms *,
	    struct err *);
/* The terms of the newest CRL, all zero when there was none. */
struct crl_terms journal_last_crl(const struct journal *);
bool	journal_is_dirty(const struct journal *);

/*
 * Write the group and have it on disk. Only then may anybody be told of what
 * it holds. On ERR_RETRY (disk full) the group is forgotten as if it had
 * never been appended; after ERR_FAULT the journal is good for nothing.
 */
int	journal_sync(struct journal *, struct err *);

/* For restores: every record that is on disk, in order; the one pointer of
 * the four that is not NULL says what it is. fn returns 0 to go on. */
typedef int journal_fn(const struct journal_issued *,
	    const struct crl_entry *, const struct crl_terms *,
	    const struct journal_blocked *, void *);
int	journal_each(struct journal *, journal_fn *, void *, struct err *);

#endif
