#ifndef CSRMAILD_ORDERS_H
#define CSRMAILD_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct order;
struct pending_order;
struct registrar;
struct serial;

/*
 * The orders that are frozen and not answered yet: a row of the store and a
 * place in the registrar for each. Sends nothing (csrmaild/issuance.h does)
 * and does not know what an order is for.
 */

/* Reserve and freeze one order; its serial is drawn here. spki_sha256: of the
 * key that it certifies. Inside the caller's transaction. ERR_RETRY when there
 * is no place. */
int	orders_freeze(struct registrar *, struct order *,
	    const uint8_t *spki_sha256, struct err *);
/* NULL: none of that serial. */
struct pending_order *orders_find(struct registrar *, int64_t ca,
	    const struct serial *);
bool	orders_have(const struct registrar *, int64_t request);
/* Answered: its place is free. */
void	orders_forget(struct registrar *, struct pending_order *);

#endif
