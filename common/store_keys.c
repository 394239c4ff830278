#include "common/store_private.h"
#include "common/err.h"

#include <string.h>

/* Keys that are blocked, moduli of lists, and every modulus that was seen. */

#define MAX_WHY		256		/* the schema's, like the next */
#define MAX_OWNER	128
#define MAX_MODULUS	1024

static const char *const kinds[] = {
	[KEY_BLOCKED] = "blocked",
	[KEY_COMPROMISED] = "compromised",
	[KEY_WEAK] = "weak",
};

const char *
key_block_kind_name(enum key_block_kind kind)
{
	return kinds[kind];
}

/* -1: the store holds a word that the schema does not know. */
static int
column_kind(const struct query *q, int column, enum key_block_kind *out)
{
	const char *name = column_text(q, column);

	for (int i = KEY_BLOCKED; i <= KEY_WEAK; i++)
		if (strcmp(kinds[i], name) == 0) {
			*out = (enum key_block_kind)i;
			return 0;
		}
	return -1;
}

int
store_block_key(struct store *store, const uint8_t spki_sha256[32],
    enum key_block_kind kind, const char *why, time_t now, struct err *err)
{
	QUERY(q, store, Q_BLOCK_KEY);

	if (store_check_writing(store, err) == -1)
		return -1;
	query_blob(&q, (struct bytes){ spki_sha256, 32 });
	query_text(&q, kinds[kind]);
	query_text_cut(&q, why, MAX_WHY);
	query_int(&q, now);
	return query_run(&q, NULL, err);
}

int
store_block_key_of(struct store *store, int64_t ca_id,
    const struct serial *serial, const char *why, time_t now, struct err *err)
{
	QUERY(q, store, Q_BLOCK_KEY_OF);

	if (store_check_writing(store, err) == -1)
		return -1;
	query_int(&q, ca_id);
	query_serial(&q, serial);
	query_text_cut(&q, why, MAX_WHY);
	query_int(&q, now);
	return query_run(&q, NULL, err);
}

int
store_is_key_blocked(struct store *store, const uint8_t spki_sha256[32],
    enum key_block_kind *kind, struct err *err)
{
	QUERY(q, store, Q_IS_KEY_BLOCKED);
	enum key_block_kind found;
	int r;

	query_blob(&q, (struct bytes){ spki_sha256, 32 });
	r = query_step(&q, err);
	if (r != 0)
		return r;
	if (column_kind(&q, 0, &found) == -1)
		return store_corrupt(&q, err);
	if (kind != NULL)
		*kind = found;
	return 0;
}

static int
read_key_block(const struct query *q, struct key_block_row *row)
{
	row->id = column_int(q, 0);
	row->why = column_text(q, 3);
	row->at = column_int(q, 4);
	return column_fixed(q, 1, row->spki_sha256, 32) ?
	    column_kind(q, 2, &row->kind) : -1;
}

int
store_each_blocked_key(struct store *store, int64_t after, unsigned int limit,
    int (*fn)(const struct key_block_row *, void *), void *arg,
    struct err *err)
{
	QUERY(q, store, Q_EACH_BLOCKED_KEY);
	struct key_block_row row;

	query_int(&q, after);
	query_int(&q, limit);
	return STORE_WALK(&q, &row, read_key_block, fn, arg, err) == -1 ?
	    -1 : 0;
}

int
store_each_last_blocked_key(struct store *store, unsigned int limit,
    int (*fn)(const struct key_block_row *, void *), void *arg,
    struct err *err)
{
	QUERY(q, store, Q_LAST_BLOCKED_KEYS);
	struct key_block_row row;

	query_int(&q, limit);
	return STORE_WALK(&q, &row, read_key_block, fn, arg, err) == -1 ?
	    -1 : 0;
}

int
store_add_weak_modulus(struct store *store,
    const uint8_t digest[WEAK_MODULUS_OCTETS], struct err *err)
{
	QUERY(q, store, Q_ADD_WEAK_MODULUS);
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_blob(&q, (struct bytes){ digest, WEAK_MODULUS_OCTETS });
	if (query_run(&q, &changed, err) == -1)
		return -1;
	return changed == 0;
}

int
store_is_modulus_weak(struct store *store,
    const uint8_t digest[WEAK_MODULUS_OCTETS], struct err *err)
{
	QUERY(q, store, Q_IS_MODULUS_WEAK);

	query_blob(&q, (struct bytes){ digest, WEAK_MODULUS_OCTETS });
	return query_step(&q, err);
}

int
store_add_modulus(struct store *store, const struct modulus_row *row,
    int64_t *id, struct err *err)
{
	QUERY(q, store, Q_ADD_MODULUS);
	int changed;

	if (store_check_writing(store, err) == -1)
		return -1;
	query_blob(&q, (struct bytes){ row->spki_sha256, 32 });
	query_blob(&q, row->modulus);
	query_text_cut(&q, row->owner, MAX_OWNER);
	if (query_run(&q, &changed, err) == -1)
		return -1;
	if (changed == 0)
		return 1;
	if (id != NULL)
		*id = store_last_id(store);
	return 0;
}

static int
read_modulus(const struct query *q, struct modulus_row *row)
{
	struct bytes spki_sha256 = column_blob(q, 1);

	row->id = column_int(q, 0);
	row->spki_sha256 = spki_sha256.data;
	row->modulus = column_blob(q, 2);
	row->owner = column_text(q, 3);
	return spki_sha256.len == 32 && row->modulus.len > 0 &&
	    row->modulus.len <= MAX_MODULUS ? 0 : -1;
}

int
store_each_modulus(struct store *store, int64_t after, unsigned int limit,
    int (*fn)(const struct modulus_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, Q_EACH_MODULUS);
	struct modulus_row row;

	query_int(&q, after);
	query_int(&q, limit);
	return STORE_WALK(&q, &row, read_modulus, fn, arg, err) == -1 ? -1 : 0;
}

int
store_find_modulus(struct store *store, const uint8_t spki_sha256[32],
    int (*fn)(const struct modulus_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, Q_FIND_MODULUS);
	struct modulus_row row;

	query_blob(&q, (struct bytes){ spki_sha256, 32 });
	return STORE_WALK(&q, &row, read_modulus, fn, arg, err);
}

int
store_find_modulus_by_id(struct store *store, int64_t id,
    int (*fn)(const struct modulus_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, Q_FIND_MODULUS_ID);
	struct modulus_row row;

	query_int(&q, id);
	return STORE_WALK(&q, &row, read_modulus, fn, arg, err);
}

int
store_add_shared_prime(struct store *store, int64_t modulus, int64_t other,
    time_t now, struct err *err)
{
	QUERY(q, store, Q_ADD_SHARED_PRIME);

	if (store_check_writing(store, err) == -1)
		return -1;
	query_int(&q, modulus);
	query_int(&q, other);
	query_int(&q, now);
	return query_run(&q, NULL, err);
}

int
store_each_broken_key(struct store *store, unsigned int limit,
    int (*fn)(const struct modulus_row *, void *), void *arg, struct err *err)
{
	QUERY(q, store, Q_EACH_BROKEN_KEY);
	struct modulus_row row;

	query_int(&q, limit);
	return STORE_WALK(&q, &row, read_modulus, fn, arg, err) == -1 ? -1 : 0;
}
