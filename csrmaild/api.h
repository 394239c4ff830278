#ifndef CSRMAILD_API_H
#define CSRMAILD_API_H

struct role;

/*
 * The role that speaks HTTP with local people: it gets connected sockets
 * from the registrar (WIRE_CONNECTION), reads requests below /api/v1/, checks
 * syntax, size and depth, and passes each on as one WIRE_CALL with canonical
 * JSON. It names nothing but the connection's number, so it cannot pretend
 * that somebody else called; it has no files and opens no sockets.
 *
 * Descriptors: "registrar". Returns main's exit code.
 */
int	api_main(struct role *);

#endif
