#ifndef COMMON_NOTIFY_H
#define COMMON_NOTIFY_H

/*
 * Tell the service manager how we do, by sd_notify(3)'s protocol: one
 * datagram to the socket that NOTIFY_SOCKET names. Without the variable
 * nothing happens; failures are nobody's business but the manager's.
 *
 *	notify("READY=1"); notify("STOPPING=1");
 *
 * notify_open reads the variable and removes it; call it first, while the
 * environment is still there.
 */
void	notify_open(void);
void	notify(const char *state);
/* RELOADING=1 with the time that systemd wants with it. */
void	notify_reloading(void);

#endif
