/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One 32-bit system call on an arm64 kernel, where 64-bit code cannot make one:
 *	compat32 NUMBER [ARGUMENT]...	an argument is "n" and a decimal number, or "x" and bytes in hexadecimal
 * Exits with the call's errno, or 0. Built without any library: there is none for 32 bits around.
 */

static long call(long nr, const long a[6])
{
	register long r7 __asm__("r7") = nr;
	register long r0 __asm__("r0") = a[0];
	register long r1 __asm__("r1") = a[1];
	register long r2 __asm__("r2") = a[2];
	register long r3 __asm__("r3") = a[3];
	register long r4 __asm__("r4") = a[4];
	register long r5 __asm__("r5") = a[5];

	__asm__ volatile("svc #0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5) : "memory");
	return r0;
}

static long number(const char *text)
{
	long n = 0, sign = *text == '-' ? -1 : 1;

	for (text += *text == '-'; *text; text++)
		n = n * 10 + (*text - '0');
	return n * sign;
}

static int digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* The bytes that @text stands for, somewhere in memory. */
static long bytes(const char *text, int i)
{
	static unsigned char room[6][4096] __attribute__((aligned(8)));
	unsigned char *to = room[i];

	for (; text[0] && text[1] && to < room[i] + sizeof(room[i]); text += 2)
		*to++ = digit(text[0]) << 4 | digit(text[1]);
	return (long)room[i];
}

#define ARM_EXIT 1

/* @stack: argc, argv[], as the kernel leaves them. */
__attribute__((used)) void start(const long *stack)
{
	const char *const *argv = (const char *const *)(stack + 1);
	long a[6] = { 0 }, r;

	for (long i = 2; i < stack[0] && i < 8; i++)
		a[i - 2] = argv[i][0] == 'n' ? number(argv[i] + 1) : bytes(argv[i] + 1, i - 2);
	r = stack[0] < 2 ? -22 : call(number(argv[1]), a);
	a[0] = r < 0 ? -r : 0;
	call(ARM_EXIT, a);
}

__asm__(".globl _start\n_start:\n\tmov r0, sp\n\tbl start\n");
