#include "common/issue.h"

#include "common/err.h"

#include <stdlib.h>
#include <string.h>

/* Orders of version 1 had no shard. */
#define ORDER_VERSION	2

void
order_free_contents(struct order *order)
{
	names_free(&order->names);
	free((void *)(uintptr_t)order->csr.data);
	order->csr = (struct bytes){ NULL, 0 };
}

/* The fields in the order of the struct, after a version of this encoding:
 * orders are kept as long as their certificates. */
int
order_encode(const struct order *order, struct buf *out)
{
	put_u8(out, ORDER_VERSION);
	put_u64(out, order->request_id);
	put_str(out, order->ca);
	put_str(out, order->profile);
	buf_append(out, order->profile_digest, sizeof(order->profile_digest));
	buf_append(out, order->issuer_key, sizeof(order->issuer_key));
	put_bytes(out, (struct bytes){ order->serial.octets,
	    order->serial.len });
	put_time(out, order->not_before);
	put_time(out, order->not_after);
	put_names(out, &order->names);
	put_bytes(out, order->csr);
	put_u16(out, order->shard);
	return out->failed ? -1 : 0;
}

static void
get_fixed(struct cursor *c, uint8_t *out, size_t n)
{
	if (c->failed || c->left.len < n) {
		c->failed = true;
		return;
	}
	memcpy(out, c->left.data, n);
	c->left = bytes_slice(c->left, n, c->left.len);
}

int
order_decode(struct bytes in, struct order *out, struct err *err)
{
	struct order order = { 0 };
	struct cursor c = CURSOR(in);
	struct bytes serial, csr;
	uint8_t version, *copy;
	struct err inner;

	version = get_u8(&c);
	order.request_id = get_u64(&c);
	get_str(&c, order.ca, sizeof(order.ca));
	get_str(&c, order.profile, sizeof(order.profile));
	get_fixed(&c, order.profile_digest, sizeof(order.profile_digest));
	get_fixed(&c, order.issuer_key, sizeof(order.issuer_key));
	serial = get_bytes(&c, sizeof(order.serial.octets));
	order.not_before = get_time(&c);
	order.not_after = get_time(&c);
	get_names(&c, &order.names);
	csr = get_bytes(&c, CSR_MAX_OCTETS);
	if (version >= 2)
		order.shard = get_u16(&c);
	if (!cursor_end(&c) || version < 1 || version > ORDER_VERSION ||
	    csr.len == 0 ||
	    serial_from_octets(serial, &order.serial, &inner) == -1) {
		order_free_contents(&order);
		return err_set(err, ERR_FAULT, "an order cannot be read");
	}
	copy = malloc(csr.len);
	if (copy == NULL) {
		order_free_contents(&order);
		return err_set(err, ERR_RETRY, "out of memory");
	}
	memcpy(copy, csr.data, csr.len);
	order.csr = (struct bytes){ copy, csr.len };
	*out = order;
	return 0;
}
