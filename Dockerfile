# The image of the server. The last stage runs what was built; `--target development` is what docker-compose.yml runs,
# with the sources mounted over it.
#
# The version is exact so that two builds of one commit get the same Node. Whoever mirrors images can pin the digest too:
# --build-arg NODE_IMAGE=node@sha256:…
ARG NODE_IMAGE=node:22.21.1-bookworm-slim

FROM ${NODE_IMAGE} AS base
RUN mkdir -p /app/data /app/keys && chown node:node /app/data /app/keys
WORKDIR /app
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/api/health`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

FROM base AS dependencies
# Files of mounted folders belong to somebody on the host; whoever develops in the container gets that number.
ARG APP_UID=1000
RUN if [ "$APP_UID" != 1000 ]; then usermod --non-unique --uid "$APP_UID" node; fi \
  && chown node:node /app /app/data /app/keys
USER node
COPY --chown=node:node package.json package-lock.json .npmrc ./
RUN npm ci --include=dev --include=optional --no-progress

FROM dependencies AS development
ENV NODE_ENV=development
COPY --chown=node:node . .
RUN npm run build:kernels
CMD ["npm", "run", "dev"]

FROM dependencies AS build
COPY --chown=node:node tsconfig.json tsconfig.build.json ./
COPY --chown=node:node scripts scripts
COPY --chown=node:node src src
RUN npm run build

FROM dependencies AS production-dependencies
# TypeScript comes along as an optional companion of a package that is needed; nothing here compiles.
RUN npm ci --omit=dev --include=optional --no-progress \
  && rm -r node_modules/typescript node_modules/.bin/tsc node_modules/.bin/tsserver

FROM base AS production
ENV NODE_ENV=production
# Read-only to the server: it writes to its volumes alone.
COPY package.json package-lock.json .npmrc .sequelizerc LICENSE NOTICE ./
COPY public public
COPY migrations migrations
COPY seeders seeders
COPY scripts/ensure-ready.mjs scripts/ensure-ready.mjs
COPY scripts/setup scripts/setup
COPY src/platform/database/cli-config.cjs src/platform/database/cli-config.cjs
COPY --from=production-dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
# The image's user `node`, as the number that clusters want to see.
USER 1000:1000
VOLUME ["/app/data", "/app/keys"]
# A role: all, api, worker, scheduler or migrate. Run it with --init: decoders that outlive their parent need somebody who
# collects them.
ENTRYPOINT ["node", "dist/main.js"]
CMD ["all"]
