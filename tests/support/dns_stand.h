#ifndef TESTS_SUPPORT_DNS_STAND_H
#define TESTS_SUPPORT_DNS_STAND_H

#include <stdbool.h>
#include <sys/types.h>

/* tests/support/dns_server.py, for unit tests. */
struct dns_stand {
	pid_t	 pid;
	char	 folder[64], zone[96], log[96];
	char	 resolver[32];		/* "127.0.0.1:PORT" */
};
extern struct dns_stand dns_stand;

void	dns_stand_start(void);		/* it knows nothing */
void	dns_stand_stop(void);
void	dns_stand_set(const char *zone);
/* What was asked so far. */
int	dns_stand_count(void);
bool	dns_stand_has_seen(const char *name);

#endif
