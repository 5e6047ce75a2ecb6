/** Conventional Commits. Subjects may begin with a name (PostgreSQL, SIFT), and a body may quote a long line whole. */
export default {
  extends: ['@commitlint/config-conventional'],
  rules: {
    'subject-case': [0],
    'body-max-line-length': [0],
    'footer-max-line-length': [0],
  },
};
