#include "csrmaild/publish_private.h"

#include "common/err.h"
#include "common/owned.h"
#include "common/store.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_A_TURN	8	/* of WIRE_MAX_CRL_ENTRIES: about 10 ms */
#define MAX_AHEAD	((size_t)1 << 20)	/* octets in the signer's queue */

/*
 * RFC 5280, 3.3: an entry is not removed before it was on one regular CRL
 * issued after the certificate's end. Those that revocations make in between
 * are not regular: so what counts is the last one that is older than a whole
 * interval.
 */
static int
find_expired_before(struct publication *p, struct err *err)
{
	return store_regular_crl(p->snapshot, p->ca->id, p->scope->shard,
	    p->terms.this_update - (time_t)p->ca->settings->crl_interval_s,
	    &p->page.expired_before, err);
}

static uint64_t
base_change(const struct publication *p)
{
	if (p->terms.base == 0)
		return 0;
	return p->terms.base == p->scope->previous.number ?
	    p->scope->previous_change : p->scope->full_change;
}

static void
rewind_page(struct publication *p)
{
	p->page.since = base_change(p);
	p->page.after_shard = p->scope->shard;
	p->page.after_change = p->page.since;
	p->page.last_shard = p->scope->shard;
	if (p->scope->shard == 0)	/* it covers all of the CA */
		p->page.last_shard = CRL_MAX_SHARDS;
	p->page.limit = WIRE_MAX_CRL_ENTRIES;
}

int
publication_open(struct registrar *r, struct publication *p, struct err *err)
{
	char path[PATH_MAX];
	uint64_t change = 0;

	rewind_page(p);
	if (p->snapshot == NULL) {
		snprintf(path, sizeof(path), "%s/store.db",
		    r->settings->state_dir);
		if (store_open(path, STORE_READ_ONLY, &p->snapshot,
		    err) == -1 ||
		    store_read_begin(p->snapshot, err) == -1)
			return -1;
	}
	if (store_last_change(p->snapshot, &change, err) == -1)
		return -1;
	/* We are the only writer, and have written nothing since. */
	if (change != p->change)
		return err_set(err, ERR_FAULT,
		    "the store moved on under a CRL");
	return find_expired_before(p, err);
}

struct page_rows {
	struct publication *publication;
	struct crl_entry *entries;
	size_t		 n;
};

static int
add_entry(const struct status_row *row, void *arg)
{
	struct page_rows *rows = arg;
	struct crl_page *page = &rows->publication->page;

	page->after_shard = row->shard;
	page->after_change = row->change;
	rows->entries[rows->n++] = (struct crl_entry){
		.serial = row->serial, .revoked_at = row->revoked_at,
		.reason = row->reason, .invalidity = row->invalidity };
	return 0;
}

/* One page; 1 when there is none left. */
static int
send_page(struct registrar *r, struct publication *p,
    struct crl_entry *entries, struct err *err)
{
	struct page_rows rows = { p, entries, 0 };
	int found = (p->releases ? store_each_released : store_each_revoked)(
	    p->snapshot, p->ca->id, &p->page, add_entry, &rows, err);

	if (found == -1 || (rows.n > 0 && wire_send_crl_entries(r->signer,
	    entries, rows.n, err) == -1))
		return -1;
	p->n_entries += rows.n;
	if (rows.n == p->page.limit)
		return 0;
	if (p->terms.base == 0 || p->releases)
		return 1;
	p->releases = true;
	rewind_page(p);
	return 0;
}

int
publication_send(struct registrar *r, struct publication *p, struct err *err)
{
	OWNED_HEAP(struct crl_entry) *entries =
	    calloc(WIRE_MAX_CRL_ENTRIES, sizeof(*entries));
	int last = 0;

	if (entries == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	for (int n = 0; n < PAGES_A_TURN && last == 0 &&
	    channel_queued(r->signer) < MAX_AHEAD; n++)
		last = send_page(r, p, entries, err);
	return last;
}
