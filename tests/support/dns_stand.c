#include "tests/support/dns_stand.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct dns_stand dns_stand;

void
dns_stand_set(const char *zone)
{
	FILE *f = fopen(dns_stand.zone, "w");

	ck_assert_ptr_nonnull(f);
	fputs(zone, f);
	fclose(f);
}

void
dns_stand_start(void)
{
	int ends[2], port = 0;
	FILE *out;

	snprintf(dns_stand.folder, sizeof(dns_stand.folder),
	    "/tmp/dns-stand.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dns_stand.folder));
	snprintf(dns_stand.zone, sizeof(dns_stand.zone), "%s/zone",
	    dns_stand.folder);
	snprintf(dns_stand.log, sizeof(dns_stand.log), "%s/log",
	    dns_stand.folder);
	dns_stand_set("");
	ck_assert_int_eq(pipe(ends), 0);
	dns_stand.pid = fork();
	if (dns_stand.pid == 0) {
		dup2(ends[1], 1);
		dup2(open(dns_stand.log, O_CREAT | O_WRONLY | O_TRUNC, 0600),
		    2);
		close(ends[0]);
		execl("/usr/bin/python3", "python3", "-B", DNS_SERVER,
		    dns_stand.zone, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	out = fdopen(ends[0], "r");
	ck_assert_int_eq(fscanf(out, "%d", &port), 1);
	fclose(out);
	snprintf(dns_stand.resolver, sizeof(dns_stand.resolver),
	    "127.0.0.1:%d", port);
}

void
dns_stand_stop(void)
{
	kill(dns_stand.pid, SIGKILL);
	waitpid(dns_stand.pid, NULL, 0);
	unlink(dns_stand.zone);
	unlink(dns_stand.log);
	rmdir(dns_stand.folder);
}

/* Lines with that word, or all of them. */
static int
count_lines(const char *word)
{
	FILE *f = fopen(dns_stand.log, "r");
	char line[512];
	int n = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f) != NULL)
		n += word == NULL || strstr(line, word) != NULL;
	fclose(f);
	return n;
}

int
dns_stand_count(void)
{
	return count_lines(NULL);
}

bool
dns_stand_has_seen(const char *name)
{
	return count_lines(name) > 0;
}
