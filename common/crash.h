#ifndef COMMON_CRASH_H
#define COMMON_CRASH_H

/*
 * Named places where a test may let the power fail. In test builds, passing
 * the point of the chosen name for the n-th time ("NAME" or "NAME:N") calls
 * die(), which has all roles killed by SIGKILL, and goes no step further; in
 * other builds there is nothing here.
 */
#ifdef TEST_HOOKS
void	crash_choose(const char *name, void (*die)(void));
void	crash_point(const char *name);
#else
#define crash_choose(name, die)	((void)(name), (void)(die))
#define crash_point(name)	((void)0)
#endif

#endif
