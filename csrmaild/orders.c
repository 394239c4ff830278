#include "csrmaild/orders.h"

#include "common/err.h"
#include "common/issue.h"
#include "common/store.h"
#include "csrmaild/registry.h"
#include "csrmaild/wire.h"

#include <openssl/rand.h>

#include <string.h>

#define MAX_DRAWS	8	/* of serials that turn out to be taken */

struct pending_order *
orders_find(struct registrar *r, int64_t ca, const struct serial *serial)
{
	for (size_t i = 0; i < r->n_orders; i++)
		if (r->orders[i].ca == ca &&
		    serial_equal(&r->orders[i].serial, serial))
			return &r->orders[i];
	return NULL;
}

bool
orders_have(const struct registrar *r, int64_t request)
{
	for (size_t i = 0; i < r->n_orders; i++)
		if (r->orders[i].request == request)
			return true;
	return false;
}

void
orders_forget(struct registrar *r, struct pending_order *order)
{
	*order = r->orders[--r->n_orders];
	r->approvals = true;	/* there is room again */
}

/* Which CRL the certificate will name, for ever: any, but evenly. */
static int
draw_shard(const struct authority *ca, uint16_t *out, struct err *err)
{
	unsigned int n = ca->settings == NULL ? 1 : ca->settings->crl_shards;
	uint32_t drawn;

	*out = 0;
	if (n <= 1)
		return 0;
	/* 2^32 is no multiple of every n <= 1024, and off by 2^-22. */
	if (RAND_bytes((unsigned char *)&drawn, sizeof(drawn)) != 1)
		return err_openssl(err, ERR_RETRY, "drawing a CRL's shard");
	*out = (uint16_t)(1 + drawn % n);
	return 0;
}

int
orders_freeze(struct registrar *r, struct order *order,
    const uint8_t *spki_sha256, struct err *err)
{
	const struct authority *ca = authority_by_name(&r->authorities,
	    order->ca);
	char names_text[512];
	OWNED_BUF(encoded, WIRE_MAX_ISSUE);
	int taken = 1;

	if (ca == NULL)
		return err_set(err, ERR_FAULT, "there is no CA %s", order->ca);
	if (r->n_orders == REGISTRAR_MAX_ORDERS)
		return err_set(err, ERR_RETRY, "the signer does not keep up");
	/* RFC 5280 has no word for it; but what it signs now, nobody may
	 * believe. Its responders still say what is revoked. */
	if (ca->revoked && order->request_id != 0)
		return err_set(err, ERR_REJECT,
		    "CA %s is revoked: it signs no more", ca->name);
	if (draw_shard(ca, &order->shard, err) == -1)
		return -1;
	memcpy(order->issuer_key, ca->key_sha1, sizeof(order->issuer_key));
	names_describe(&order->names, names_text, sizeof(names_text));
	for (int i = 0; i < MAX_DRAWS && taken == 1; i++) {
		struct cert_row row = { .ca_id = ca->id,
			.request = (int64_t)order->request_id,
			.not_before = order->not_before,
			.not_after = order->not_after,
			.profile = order->profile, .names_text = names_text,
			.spki_sha256 = spki_sha256, .shard = order->shard };

		buf_clear(&encoded);
		if (serial_generate(&order->serial, err) == -1 ||
		    order_encode(order, &encoded) == -1)
			return err_set(err, ERR_FAULT,
			    "the order is too long to be frozen");
		row.serial = order->serial;
		row.order = buf_bytes(&encoded);
		taken = store_reserve(r->store, &row, err);
	}
	if (taken != 0)
		return taken == -1 ? -1 : err_set(err, ERR_FAULT,
		    "every serial that was drawn is taken");
	r->orders[r->n_orders++] = (struct pending_order){
		.request = (int64_t)order->request_id, .ca = ca->id,
		.serial = order->serial };
	return 0;
}
