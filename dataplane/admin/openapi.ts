import { basePath, errorSchema, routes } from './routes.ts';
import type { Route } from './routes.ts';

/** The OpenAPI document of the admin API, from the table that the server itself validates by. */
const json = (schema: object) => ({ content: { 'application/json': { schema } } });

function operationOf(name: string, { summary, request, response }: Route): object {
  return {
    operationId: name,
    summary,
    ...(request === undefined ? {} : { requestBody: { required: true, ...json(request) } }),
    responses: {
      200: { description: 'Done.', ...json(response) },
      default: { description: 'Refused.', ...json({ $ref: '#/components/schemas/Error' }) },
    },
  };
}

export function openApiDocument(): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const [name, route] of Object.entries<Route>(routes)) {
    (paths[`${basePath}${route.path}`] ??= {})[route.method] = operationOf(name, route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'PhotonDB admin API',
      version: '1',
      description:
        'Served by each node at its admin port by mutual TLS. A client shows a certificate of the cluster authority whose subject alternative name is photondb://CLUSTER-ID/admin/NAME.',
    },
    paths,
    components: { schemas: { Error: errorSchema } },
  };
}
