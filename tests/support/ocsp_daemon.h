#ifndef TESTS_SUPPORT_OCSP_DAEMON_H
#define TESTS_SUPPORT_OCSP_DAEMON_H

#include "common/bytes.h"
#include "tests/support/ocsp_stand.h"

#include <openssl/evp.h>
#include <openssl/ocsp.h>

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/*
 * ocspd itself (the program OCSPD) over an ocsp_stand, on 127.0.0.1, and a
 * client for it. Certificates 1001 and ff02 are issued. Check's assertions
 * fail the test when anything does not work in time.
 */
#define PATIENCE_MS	20000	/* sanitizers are slow; each wait ends early */

struct ocsp_daemon {
	struct stand	 stand;
	pid_t		 pid;
	uint16_t	 port;
	int64_t		 clock_offset_s;
	/* Before daemon_open, unless empty: listened on as well. */
	char		 listen_too[128];
	/* Before daemon_start, unless 0: handed over as systemd does, by the
	 * name "ocsp". */
	int		 activated_fd;
	char		 conf[128];
	char		 answer[65536];	/* the last one, with a NUL */
	size_t		 answer_len;
};

/* The stand and the configuration; more is lines to add to that. */
void	daemon_open(struct ocsp_daemon *, const char *more);
void	daemon_close(struct ocsp_daemon *);
/* Under a clock that is shifted so much (test builds). */
void	daemon_start(struct ocsp_daemon *, int64_t clock_offset_s);
/* By SIGTERM; it must end well. */
void	daemon_stop(struct ocsp_daemon *);
/* Certify what it asks for in the spool, until 1001 is good. */
void	daemon_certify(struct ocsp_daemon *);

/* Connect, from 127.0.0.`from`; -1: refused. */
int	daemon_dial(const struct ocsp_daemon *, unsigned int from);
/* Send, read to the end; false when nothing came back. */
bool	daemon_exchange(struct ocsp_daemon *, struct bytes);
/* The same at another port of 127.0.0.1. */
bool	daemon_exchange_at(struct ocsp_daemon *, uint16_t port, struct bytes);
/* A port that nobody has. */
uint16_t daemon_free_port(void);
/* SIGKILL to the children of main in whose stat line `title` stands (their
 * names begin like the role's); how many. */
int	daemon_kill_role(const struct ocsp_daemon *, const char *title);

/* POST it; the answer is the caller's. NULL: none, or none with status 200. */
OCSP_RESPONSE *daemon_post(struct ocsp_daemon *, OCSP_REQUEST *);

struct ocsp_said {
	int64_t		 this_update, produced_at, last_modified;
	uint8_t		 signer[20];	/* byKey */
};
/* V_OCSP_CERTSTATUS_*, then *said is filled; or minus the OCSPResponseStatus,
 * or -100. The signature and the nonce must be right. */
int	daemon_ask(struct ocsp_daemon *, const char *serial_hex,
	    const EVP_MD *, bool nonce, struct ocsp_said *said);
/* Ask until it is so. */
void	daemon_await(struct ocsp_daemon *, const char *serial_hex, int want);

int64_t	daemon_now_ms(void);	/* monotonic */
void	daemon_take_breath(void);	/* between two looks */

#endif
