#ifndef OCSPD_ACTIVATION_H
#define OCSPD_ACTIVATION_H

#include <stddef.h>

struct err;

/*
 * Listening sockets that systemd opened for us (sd_listen_fds(3)): LISTEN_PID,
 * LISTEN_FDS and LISTEN_FDNAMES. With them main needs no right to bind a port.
 * They stay open for as long as main lives, so that a reload finds them again.
 */

/* Once, first of all in main: notes the sockets and takes the variables out of
 * the environment. ERR_FAULT when one is no listening stream socket. */
int	activation_take(struct err *);
/* For a successor that is about to be executed in this process: the variables
 * again, and the sockets stay open. -1: there is no memory. */
int	activation_hand_over(void);
/* The nth socket of that name ("" for any); -1: there is none. Borrowed. */
int	activation_find(const char *name, size_t n);

#endif
