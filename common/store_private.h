#ifndef COMMON_STORE_PRIVATE_H
#define COMMON_STORE_PRIVATE_H

#include "common/store.h"

#include <sqlite3.h>

/*
 * What the files of the store share: store.c (statements in use, and
 * transactions), store_open.c (the file and its schema), store_statements.c
 * (the one table of SQL), and one file for each subject that is on record.
 * Nobody else includes this.
 */
#define STORE_SCHEMA_STEPS	4u	/* the user_version we know */
/* The SQL of step 1..STORE_SCHEMA_STEPS; generated from common/schema. */
const char *store_schema_step(unsigned int version);
const char *store_index_schema(void);

/* Every statement there is; its text stands in store_statements.c. */
enum statement {
	Q_BEGIN, Q_COMMIT, Q_ROLLBACK, Q_READ_BEGIN,
	Q_SAVEPOINT, Q_RELEASE, Q_ROLLBACK_TO,
	Q_NEXT_CHANGE, Q_LAST_CHANGE,
	Q_ADD_CA, Q_EACH_CA, Q_FIND_CA,
	Q_ADD_CA_CERTIFICATE, Q_RENEW_CA, Q_EACH_CA_CERTIFICATE,
	Q_FIND_PLACE, Q_FIND_IDENTITY, Q_ADD_PLACE, Q_ADD_SUBMISSION,
	Q_SET_OUTCOME,
	Q_VOUCH, Q_ADD_CHALLENGE, Q_FIND_CHALLENGE, Q_SETTLE_CHALLENGE,
	Q_EXPIRED_CHALLENGES, Q_COUNT_CHALLENGES, Q_COUNT_CHALLENGES_TO,
	Q_ADD_REQUEST, Q_FIND_REQUEST, Q_EACH_REQUEST, Q_EACH_REQUEST_IN,
	Q_EACH_OF_SUBMISSION,
	Q_EACH_REQUEST_OF, Q_ADD_REVOCATION, Q_FIND_REVOCATION,
	Q_EACH_REVOCATION, Q_EACH_REVOCATION_IN, Q_EACH_REVOCATION_OF,
	Q_SETTLE_REVOCATION,
	Q_DECIDE_REQUEST, Q_FIND_KEY, Q_ISSUE_REQUEST, Q_SETTLE_REQUEST,
	Q_RESERVE, Q_ISSUE, Q_ABANDON, Q_ADD_CERTIFICATE,
	Q_COMPLETE_CERTIFICATE, Q_COMPLETE_STATUS, Q_FIND_SERIAL,
	Q_FIND_CERTIFICATE, Q_EACH_CERTIFICATE, Q_EACH_CERTIFICATE_IN,
	Q_FIND_KEY_IN_USE,
	Q_EACH_EXPIRING, Q_REVOKE, Q_REVOKE_UNISSUED,
	Q_FIND_RENEWAL, Q_FIND_RENEWED, Q_SUPERSEDE, Q_EACH_REPLACED,
	Q_SETTLE_REPLACED,
	Q_EXPIRE,
	Q_ADD_STATUS, Q_REVOKE_STATUS, Q_FIND_STATUS, Q_CHANGES_SINCE,
	Q_EACH_OF_KEY, Q_RELEASE_HOLD, Q_RELEASE_STATUS,
	Q_ADD_CRL, Q_SET_CRL_ENTRIES, Q_EACH_CRL, Q_REGULAR_CRL,
	Q_MAX_SHARD, Q_HAS_UNSHARDED,
	Q_EACH_REVOKED, Q_EACH_RELEASED, Q_LAST_REVOCATION,
	Q_ADD_RESPONDER, Q_EACH_RESPONDER, Q_COUNT_RESPONDERS,
	Q_ADD_OUTBOX, Q_EACH_DUE, Q_NEXT_DUE, Q_EACH_OUTBOX,
	Q_EACH_OUTBOX_IN, Q_SET_OUTBOX, Q_FIND_OUTBOX, Q_EACH_BOUNCED, Q_SET_BOUNCED,
	Q_RETRY_OUTBOX, Q_DEFER_OUTBOX, Q_COUNT_REPLIES,
	Q_AUDIT_HEAD, Q_ADD_AUDIT, Q_EACH_AUDIT,
	Q_BLOCK_KEY, Q_BLOCK_KEY_OF, Q_IS_KEY_BLOCKED, Q_EACH_BLOCKED_KEY, Q_LAST_BLOCKED_KEYS,
	Q_ADD_WEAK_MODULUS, Q_IS_MODULUS_WEAK,
	Q_ADD_MODULUS, Q_EACH_MODULUS, Q_FIND_MODULUS,
	Q_FIND_MODULUS_ID, Q_ADD_SHARED_PRIME, Q_EACH_BROKEN_KEY,
	Q_COUNT,
	Q_EACH_STATUS, Q_EXPORTED, Q_INDEX_EXPORTED, Q_INDEX_CHANGE,
	Q_INDEX_CA, Q_INDEX_PARENT, Q_INDEX_RESPONDER, Q_INDEX_STATUS,
	Q_INDEX_BY_CHANGE,
	N_STATEMENTS
};
const char *store_statement(enum statement);

struct store {
	sqlite3		*db;
	bool		 read_only;
	bool		 writing;	/* between store_begin and its end */
	bool		 reading;
	sqlite3_stmt	*stmts[N_STATEMENTS];	/* prepared at first use */
};

/*
 * One use of a statement: begun, its parameters given in order, stepped,
 * ended by its scope.
 *
 *	QUERY(q, store, Q_FIND_REQUEST);
 *	query_int(&q, id);
 *	switch (query_step(&q, err)) {
 *
 * A failure while preparing or binding is kept and told by the next step.
 */
struct query {
	struct store	*store;
	enum statement	 which;
	sqlite3_stmt	*stmt;
	int		 bound;		/* parameters given so far */
	int		 rc;		/* first failure, or SQLITE_OK */
	bool		 ours;		/* not the cached one: finalize */
};
#define QUERY(name, store, which)					\
	__attribute__((cleanup(query_end))) struct query name =		\
	    query_begin((store), (which))

struct query query_begin(struct store *, enum statement);
void	query_end(struct query *);
/* Parameters. Text and octets are borrowed until the query ends. */
void	query_int(struct query *, int64_t);
void	query_int_or_null(struct query *, int64_t);	/* 0 is NULL */
void	query_text(struct query *, const char *);
/* For people only: cut to max characters' worth of octets. */
void	query_text_cut(struct query *, const char *, size_t max);
void	query_blob(struct query *, struct bytes);
void	query_blob_or_null(struct query *, const uint8_t *, size_t len);
void	query_serial(struct query *, const struct serial *);
/* 0: a row; 1: no more rows; -1. */
int	query_step(struct query *, struct err *);
/* Step a statement that yields no rows: 0 and how many rows it changed. */
int	query_run(struct query *, int *changed, struct err *);
/* Columns of the current row, numbered from 0. */
int64_t	column_int(const struct query *, int);
const char *column_text(const struct query *, int);	/* never NULL */
struct bytes column_blob(const struct query *, int);
/* Exactly len octets, or the store is corrupt: false. */
bool	column_fixed(const struct query *, int, uint8_t *out, size_t len);
bool	column_serial(const struct query *, int, struct serial *);

/*
 * Call fn for each row that `read` makes out of the query, as the header says
 * of callbacks. Returns how it ended: 0 (at least one row), 1 (none), -1.
 * read returns -1 when the row cannot be right.
 */
#define STORE_WALK(query, row, read, fn, arg, err) __extension__ ({	\
	int walked_ = 1, r_ = 0;					\
	while (r_ == 0 && (r_ = query_step((query), (err))) == 0) {	\
		walked_ = 0;						\
		r_ = (read)((query), (row)) == -1 ?			\
		    store_corrupt((query), (err)) : (fn)((row), (arg));	\
		if (r_ > 0)						\
			break;						\
	}								\
	r_ < 0 ? -1 : walked_;						\
})
int	store_corrupt(const struct query *, struct err *);
/* What the caller should do about a result code of SQLite: -1. */
int	store_fail(sqlite3 *, int rc, struct err *);
/* A row of STATUS_COLUMNS; -1 when it cannot be right. */
int	store_read_status(const struct query *, struct status_row *);
int	store_read_request(const struct query *, struct request_row *);

/* -1 unless inside store_begin .. store_commit. */
int	store_check_writing(const struct store *, struct err *);
/* The next change number, taken in this transaction. */
int	store_next_change(struct store *, uint64_t *out, struct err *);
int64_t	store_last_id(const struct store *);
sqlite3	*store_database(struct store *);	/* for store_backup.c */

/* A single number that a PRAGMA or a small SELECT yields. */
int	store_ask(struct store *, const char *text, int64_t *out,
	    struct err *);
/* Opened as STORE_INDEX: is it one, and of a version that we read? */
int	store_check_index(struct store *, struct err *);

#endif
