#ifndef CSRMAILD_EXEC_H
#define CSRMAILD_EXEC_H

struct role;

/*
 * The role `exec`: runs the commands of the configuration, and nothing else.
 * Who asks says only that it wants a token; which command that is stands in
 * the settings. Started when a token_command is configured.
 *
 * A command gets its words as they stand (no shell), an environment of its
 * own (PATH, HOME, LANG, CSRMAIL_USER, CSRMAIL_HOST), /dev/null for standard
 * input and error, and limits on time, memory, processor, files and output.
 * What it prints goes to who asked; nothing of it to the log.
 *
 * Descriptors: "settings"; a peer for each server with a token_command. Its
 * sockets reach the network, since a command asks an authorization server.
 */
int	exec_main(struct role *);

#endif
