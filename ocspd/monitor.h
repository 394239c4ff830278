#ifndef OCSPD_MONITOR_H
#define OCSPD_MONITOR_H

struct err;
struct role;

/*
 * monitor: says on a listener of its own how ocspd does: /health for people
 * and load balancers, /metrics in the text format of Prometheus. It reads what
 * the other roles count (ocspd/counters.h) and nothing else: it has no key, no
 * store and no file, and no client of the OCSP side reaches it.
 */
int	monitor_run(struct role *, struct err *);

#endif
