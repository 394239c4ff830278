#ifndef TESTS_SUPPORT_FAKE_SERVER_H
#define TESTS_SUPPORT_FAKE_SERVER_H

#include <openssl/ssl.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A server on 127.0.0.1 that says what a test wants, to one client: a thread
 * that accepts once, runs `script`, closes. Line protocols only.
 */
struct fake_server {
	uint16_t	 port;
	int		 listener;
	pthread_t	 thread;
	void		(*script)(struct fake_server *);
	/* For the script. */
	int		 fd;
	SSL		*ssl;		/* NULL: in clear */
	SSL_CTX		*tls;		/* what fake_start_tls uses */
	char		 line[1024];	/* the last one read, without CRLF */
	char		 tag[32];	/* its first word */
	char		 seen[4096];	/* all lines, joined by "|" */
};

enum fake_certificate {
	FAKE_GOOD,		/* localhost, 127.0.0.1 */
	FAKE_OTHER_NAME,	/* other.example.test */
	FAKE_EXPIRED,
	FAKE_OTHER_CA,
	FAKE_TLS_1_1,		/* a good one, but old TLS only */
};

/* The CA certificate that all but FAKE_OTHER_CA are under, as a file. */
const char *fake_ca_file(void);

void	fake_start(struct fake_server *, void (*script)(struct fake_server *),
	    enum fake_certificate);
/* Wait for the script's end and clean up. */
void	fake_finish(struct fake_server *);

/* In scripts. False when the client is gone. */
bool	fake_start_tls(struct fake_server *);
bool	fake_read_line(struct fake_server *);
bool	fake_write(struct fake_server *, const char *data, size_t len);
bool	fake_say(struct fake_server *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* Does the line read last hold this command? */
bool	fake_was_asked(const struct fake_server *, const char *);
/* Until the client closes, at most half a minute. */
void	fake_wait_for_close(struct fake_server *);
/* Close by RST. */
void	fake_reset(struct fake_server *);

#endif
