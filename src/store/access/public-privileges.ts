import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** Advisory locks, which the endpoint needs. Held by another program, the rules lock stops counting. */
const LOCK_FUNCTIONS = '^pg_(try_)?advisory_'
/** Functions with which a user who may only read can hold locks, or fill the disk with large objects and messages. */
const LIMITED_FUNCTIONS = `${LOCK_FUNCTIONS}|^lo_|^loread$|^lowrite$|^pg_logical_emit_message$`

/**
 * Takes from PUBLIC, which is every user, what PostgreSQL grants it in this database and no process of Footfall needs. Only a
 * superuser can take all of it. `lockUsers` are roles that need advisory locks.
 * @returns the SQL that a superuser must still run; undefined when there is nothing left to do.
 */
export async function limitPublic(tx: Queryable, lockUsers: readonly string[]): Promise<string | undefined> {
  const { owner, database, isSuperuser, ownsDatabase, ownsSchema, passesLocks } = await standingOf(tx)
  const limits = limitsOf(owner, database, lockUsers)
  if (isSuperuser) await sql.raw(limits).execute(tx)
  else {
    if (ownsDatabase) await sql.raw(temporaryOf(database)).execute(tx)
    if (ownsSchema) await sql.raw(CREATE_IN_PUBLIC).execute(tx)
    if (passesLocks) await sql.raw(grantsOfLocks(lockUsers)).execute(tx)
  }
  return (await isLimited(tx, lockUsers)) ? undefined : limits
}

interface Standing {
  owner: string
  database: string
  isSuperuser: boolean
  ownsDatabase: boolean
  ownsSchema: boolean
  /** Whether the user may grant the use of advisory locks. */
  passesLocks: boolean
}

async function standingOf(tx: Queryable): Promise<Standing> {
  return onlyRow(
    await sql<Standing>`
      select current_user as owner, current_database() as database, rolsuper as "isSuperuser",
        (select pg_has_role(datdba, 'usage') from pg_database where datname = current_database()) as "ownsDatabase",
        (select pg_has_role(nspowner, 'usage') from pg_namespace where nspname = 'public') as "ownsSchema",
        (select bool_and(has_function_privilege(oid, 'execute with grant option')) from pg_proc
          where pronamespace = 'pg_catalog'::regnamespace and proname ~ ${LOCK_FUNCTIONS}) as "passesLocks"
      from pg_roles where rolname = current_user`.execute(tx),
  )
}

/** Whether PUBLIC has none of it any more, and these roles their locks. */
async function isLimited(tx: Queryable, lockUsers: readonly string[]): Promise<boolean> {
  const result = await sql<{ isLimited: boolean }>`
    select not has_database_privilege('public', current_database(), 'temporary') and not has_schema_privilege('public', 'public', 'create')
      and bool_and(not has_function_privilege('public', oid, 'execute') and (proname !~ ${LOCK_FUNCTIONS} or (
        select coalesce(bool_and(has_function_privilege(name, oid, 'execute')), true) from unnest(${lockUsers}::text[]) as name
      ))) as "isLimited"
    from pg_proc where pronamespace = 'pg_catalog'::regnamespace and proname ~ ${LIMITED_FUNCTIONS}`.execute(tx)
  return onlyRow(result).isLimited
}

const CREATE_IN_PUBLIC = 'revoke create on schema public from public;'

const temporaryOf = (database: string) => `revoke temporary on database ${quoted(database)} from public;`

function limitsOf(owner: string, database: string, lockUsers: readonly string[]): string {
  return [
    temporaryOf(database),
    CREATE_IN_PUBLIC,
    forEachFunction(LOCK_FUNCTIONS, `grant execute on function %s to ${quoted(owner)} with grant option`),
    grantsOfLocks(lockUsers),
    // Last, so that the endpoint has its locks at every moment.
    forEachFunction(LIMITED_FUNCTIONS, 'revoke execute on function %s from public'),
  ].join('\n')
}

function grantsOfLocks(users: readonly string[]): string {
  return users.map((user) => forEachFunction(LOCK_FUNCTIONS, `grant execute on function %s to ${quoted(user)}`)).join('\n')
}

/** The functions differ between versions of PostgreSQL. */
function forEachFunction(names: string, statement: string): string {
  return `do $$ declare name regprocedure; begin
  for name in select oid from pg_proc where pronamespace = 'pg_catalog'::regnamespace and proname ~ '${names}' loop
    execute format('${statement}', name);
  end loop;
end $$;`
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
