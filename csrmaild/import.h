#ifndef CSRMAILD_IMPORT_H
#define CSRMAILD_IMPORT_H

#include "common/bytes.h"
#include "csrmaild/crl_read.h"
#include "csrmaild/import_child.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

struct err;
struct store;

/*
 * What another CA's program left, read and put on record: its folder is only
 * read. Certificates are parsed behind walls (import_child.h); lists of
 * serials, which are text with six fields, are split here. Streams: a line
 * costs eight octets of memory, a certificate none.
 */

/* --- import_source.c: what is where -------------------------------------- */
#define IMPORT_FOLDERS	6
struct import_source {
	const char	*origin;	/* "openssl", "easy-rsa", "cfssl",
					 * "certificates", "none" */
	/* Paths, owned; NULL: there is none. */
	char		*cert, *key;	/* of the CA */
	char		*index, *crl_number, *crl;
	char		*folders[IMPORT_FOLDERS];	/* SERIAL.pem or .crt */
	char		*bundle;	/* a file or folder of certificates */
	char		*rows;		/* JSON, a row a line */
	struct crl_read	 last;		/* what import_read_crl found, entries
					 * by serial */
};
/* path NULL: nothing but a certificate and a key. ERR_REJECT says what was
 * looked for. */
int	import_source_find(const char *path, struct import_source *,
	    struct err *);
void	import_source_free(struct import_source *);	/* what it holds */

/* --- import_report.c ----------------------------------------------------- */
enum import_note {
	NOTE_LINE,		/* cannot be read: left out */
	NOTE_SALVAGED,		/* cannot be read: taken as revoked */
	NOTE_ON_CRL,		/* revoked there alone */
	NOTE_DOUBLE,
	NOTE_NO_CERTIFICATE,	/* in the index, and without its file */
	NOTE_NOT_IN_INDEX,	/* taken as issued */
	NOTE_CERTIFICATE,	/* cannot be read */
	NOTE_OTHER_CA,		/* left out */
	NOTE_WEAK,
	NOTE_REASON,
	NOTE_FUTURE,
	NOTE_DATES,		/* missing, or not those of the certificate */
	NOTE_CRL_NUMBER,
	N_NOTES
};
#define IMPORT_URLS	16
#define IMPORT_SHOWN	20

struct import_report {
	time_t		 now;
	uint64_t	 valid, revoked, held, expired;	/* serials */
	uint64_t	 ended;		/* valid, and their time is over */
	uint64_t	 with_certificate;
	uint64_t	 lost;		/* left out, and perhaps a revocation */
	uint64_t	 notes[N_NOTES];
	char		*urls[IMPORT_URLS];	/* owned: where the old
						 * certificates point to */
	size_t		 n_urls;
	FILE		*file;		/* every note, a line each; or NULL */
	char		*shown[IMPORT_SHOWN];	/* owned: the first */
	size_t		 n_shown;
	bool		 quiet;		/* a second walk: count nothing */
};
const char *import_note_title(enum import_note);
void	import_report_note(struct import_report *, enum import_note,
	    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void	import_report_url(struct import_report *, const char *urls);
void	import_report_free(struct import_report *);	/* not the FILE */

/* --- import_walk.c: everything that there is ----------------------------- */
/* Each entry once, but for serials that stand there twice; -1 ends the walk,
 * with err set. What stands on source->last is revoked, and so is what cannot
 * be read, where a serial can be salvaged from it. An entry of which a certificate is known has `der`. ca: its
 * certificate, which is no entry. */
typedef int import_fn(const struct import_entry *, void *, struct err *);
int	import_walk(const struct import_source *, struct import_child *,
	    struct import_report *, struct bytes ca, import_fn *, void *,
	    struct err *);

/* --- import_crl.c: its last CRL ------------------------------------------ */
/* The last CRL into source->last; call it first. out: the last number that was
 * used for a CRL, 0 for none: the one before what
 * stands in crl_number, or that of the newest CRL where that is above. */
int	import_read_crl(struct import_source *, struct bytes ca,
	    struct import_report *, uint64_t *out, struct err *);

/* Of its entries in order; NULL: it is not there. */
const struct crl_entry *import_find_on_crl(const struct crl_read *,
	    const struct serial *);

/* --- import_store.c: on record ------------------------------------------- */
#define IMPORT_PRIMES_BATCH	25
struct import_primes {
	struct shared_prime *held;	/* owned: all on record */
	struct {
		int64_t	 id;
		struct buf octets;	/* owned */
	}		 waiting[IMPORT_PRIMES_BATCH];
	size_t		 n_waiting;
	uint64_t	 shared;	/* keys that share a prime */
	uint64_t	 not_compared;
};

struct import_writer {
	struct store	*store;		/* borrowed, no transaction open */
	int64_t		 ca;
	const char	*origin;
	time_t		 now;
	time_t		 ca_not_after;	/* for those that have none */
	const char	*who;		/* for the audit trail */
	/* Counted here. */
	uint64_t	 added, changed, known;
	uint64_t	 completed;	/* of those known, with a certificate
					 * that came later */
	struct import_primes primes;	/* zero at first */
	unsigned int	 waiting;	/* rows of the open transaction */
};
/*
 * Commits each 10,000 rows. A row that is there stays, and gets its certificate
 * if it had none; one that is good there and revoked here is revoked. So what was cut off is completed by the same
 * call again.
 */
import_fn import_writer_take;		/* arg: struct import_writer */
int	import_writer_end(struct import_writer *, struct err *);
/* Never below: the next CRL has a number above that one. */
int	import_writer_crl_number(struct import_writer *, uint64_t number,
	    struct err *);

/* --- import_primes.c: RSA keys that share a prime ------------------------ */
/*
 * The key's modulus, if it has one, goes on record, and is compared with all
 * that are there and with those of the same import (common/shared_prime.h), up
 * to IMPORT_PRIMES_MAX in all: beyond, that would take hours, and they are
 * counted as not compared. What is found goes into the audit trail and into
 * `csrmail status`, as with a request. Inside the writer's transaction; flush
 * before its end.
 */
#define IMPORT_PRIMES_MAX	20000
int	import_primes_take(struct import_primes *,
	    const struct import_writer *, const struct import_entry *,
	    struct err *);
int	import_primes_flush(struct import_primes *,
	    const struct import_writer *, struct err *);
void	import_primes_free(struct import_primes *);	/* what it holds */

#endif
