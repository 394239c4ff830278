/*
 * A small stand-in for libFuzzer, for compilers that have none: takes each
 * file of the folders named, as it is, and then mutates and splices them until
 * the time is over. It follows no coverage; libFuzzer finds, this one keeps.
 *
 *	fuzz_NAME [-max_total_time=S] [-seed=N] FOLDER|FILE ...
 *
 * What breaks is left in ./crash-input, whose path is printed.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX	65536
#define INPUTS_MAX	1024

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);
/* Of the sanitizers' runtime; absent without them. */
void	__sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));

static struct {
	uint8_t	*data;
	size_t	 len;
} inputs[INPUTS_MAX];
static size_t n_inputs;

static uint8_t current[INPUT_MAX];
static size_t current_len;
static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t
draw(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below == 0 ? 0 : (state >> 11) % below;
}

static void
keep_current(void)
{
	static const char said[] = "the input is in ./crash-input\n";
	int fd = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, current, current_len) < 0 ||
	    write(STDERR_FILENO, said, sizeof(said) - 1) < 0)
		_exit(2);
	close(fd);
}

static void
on_signal(int sig)
{
	keep_current();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void
read_input(const char *path)
{
	uint8_t *data = malloc(INPUT_MAX);
	FILE *f = fopen(path, "rb");

	if (f == NULL || data == NULL)
		err(1, "%s", path);
	if (n_inputs == INPUTS_MAX)
		errx(1, "more than %d inputs", INPUTS_MAX);
	inputs[n_inputs].len = fread(data, 1, INPUT_MAX, f);
	inputs[n_inputs++].data = data;
	fclose(f);
}

static void
read_inputs(const char *path)
{
	struct dirent *e;
	struct stat st;
	DIR *dir;

	if (stat(path, &st) != 0)
		err(1, "%s", path);
	if (!S_ISDIR(st.st_mode)) {
		read_input(path);
		return;
	}
	dir = opendir(path);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		char file[4096];

		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		if (e->d_name[0] != '.')
			read_input(file);
	}
	closedir(dir);
}

static void
remove_octets(size_t at, size_t n)
{
	memmove(current + at, current + at + n, current_len - at - n);
	current_len -= n;
}

static void
insert_octets(size_t at, const uint8_t *from, size_t n)
{
	uint8_t copy[256];

	if (n > sizeof(copy))
		n = sizeof(copy);
	if (current_len + n > INPUT_MAX)
		return;
	memcpy(copy, from, n);
	memmove(current + at + n, current + at, current_len - at);
	memcpy(current + at, copy, n);
	current_len += n;
}

/* Values where counts and lengths break. */
static const uint8_t edges[] = { 0x00, 0x01, 0x7f, 0x80, 0x81, 0x82, 0x84,
	0xff, 0x30, 0x02, '\r', '\n', ' ', '%', '/', '"' };

static void
mutate_once(void)
{
	size_t at = (size_t)draw(current_len + 1);
	size_t n = 1 + (size_t)draw(16);
	size_t other = (size_t)draw(n_inputs);

	switch (draw(6)) {
	case 0:
		if (at < current_len)
			current[at] ^= (uint8_t)(1u << draw(8));
		break;
	case 1:
		if (at < current_len)
			current[at] = edges[draw(sizeof(edges))];
		break;
	case 2:
		if (at + n <= current_len)
			remove_octets(at, n);
		break;
	case 3:
		if (at + n <= current_len)
			insert_octets((size_t)draw(current_len + 1),
			    current + at, n);
		break;
	case 4:
		insert_octets(at, &edges[draw(sizeof(edges))], 1);
		break;
	case 5:		/* a piece of another */
		if (inputs[other].len > n) {
			size_t from = (size_t)draw(inputs[other].len - n);

			insert_octets(at, inputs[other].data + from, n);
		}
		break;
	}
}

static void
run_current(void)
{
	/* In memory of its own, so that each octet beyond it is noticed. */
	uint8_t *copy = malloc(current_len == 0 ? 1 : current_len);

	if (copy == NULL)
		err(1, "malloc");
	memcpy(copy, current, current_len);
	LLVMFuzzerTestOneInput(copy, current_len);
	free(copy);
}

int
main(int argc, char **argv)
{
	unsigned long seconds = 10, runs = 0;
	time_t end;

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], "-max_total_time=", 16) == 0)
			seconds = strtoul(argv[i] + 16, NULL, 10);
		else if (strncmp(argv[i], "-seed=", 6) == 0)
			state ^= strtoull(argv[i] + 6, NULL, 10);
		else if (argv[i][0] != '-')
			read_inputs(argv[i]);
	if (n_inputs == 0)
		errx(64, "fuzz_NAME [-max_total_time=S] FOLDER ...");
	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(keep_current);
	signal(SIGABRT, on_signal);
	signal(SIGSEGV, on_signal);
	for (size_t i = 0; i < n_inputs; i++) {
		current_len = inputs[i].len;
		memcpy(current, inputs[i].data, current_len);
		run_current();
	}
	for (end = time(NULL) + (time_t)seconds; time(NULL) < end; runs++) {
		size_t i = (size_t)draw(n_inputs);

		current_len = inputs[i].len;
		memcpy(current, inputs[i].data, current_len);
		for (uint64_t k = 1 + draw(8); k > 0; k--)
			mutate_once();
		run_current();
	}
	printf("%zu inputs, %lu mutations\n", n_inputs, runs);
	return 0;
}
