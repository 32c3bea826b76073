/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_TESTS_SANITIZED_H
#define TAMIS_TESTS_SANITIZED_H

/*
 * Whether this is the build with AddressSanitizer, which takes two to four times as long: tests that try each byte or thousands of
 * random cases try a part of them there. It looks for errors of memory; whether the answers are right the other build has shown.
 */

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
