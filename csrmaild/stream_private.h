#ifndef CSRMAILD_STREAM_PRIVATE_H
#define CSRMAILD_STREAM_PRIVATE_H

#include "csrmaild/stream.h"

#include <sys/types.h>

/*
 * What the files of csrmaild/stream.h share: stream.c has the socket, waiting
 * and libetpan's driver, stream_tls.c what OpenSSL does over it.
 */
struct stream {
	int		 fd;
	int		 stop_fd;
	SSL		*ssl;		/* NULL while in clear */
	int64_t		 deadline_ms;
	size_t		 allowed;	/* octets this command may still read */
	enum stream_fault fault;	/* the first; sticky */
	char		 text[200];
	char		 last[256];	/* the last octets that were read */
	size_t		 n_last;
};

struct stream *stream_of(mailstream_low *);
/* Keep the first fault only. Both return -1. */
int	stream_set_fault(struct stream *, enum stream_fault,
	    const char *text);
int	stream_set_errno(struct stream *);
/* 0, or -1 with the fault set. */
int	stream_check_deadline(struct stream *);
int	stream_wait_for(struct stream *, short events);

/* As the driver's: octets, 0 to try again, -1 with the fault set. */
ssize_t	stream_tls_read(struct stream *, void *data, size_t len);
ssize_t	stream_tls_write(struct stream *, const void *data, size_t len);
/* 1 when something can be read, 0 when not, with the events to poll for. */
int	stream_tls_peek(struct stream *, short *events);
/* Say good-bye if the session is still good for that, and free it. */
void	stream_tls_close(struct stream *);

#endif
