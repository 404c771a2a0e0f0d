-- works since 0012
-- Whoever records an analytics event marks its day, and audit entries stay as they are.

-- A trigger, because a release from before the reports records beside this one for a while. Its rights are those of the owner: that
-- release may not write here.
create function mark_dirty() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into dirty_mark (day, report_slug, bucket_window)
  select day, report_slug, bucket_window
  from (select distinct (occurred_at at time zone 'UTC')::date as day from inserted) d cross join aggregate_window;
  return null;
end $$;
revoke execute on function mark_dirty() from public;

create trigger analytics_event_mark after insert on analytics_event referencing new table as inserted
  for each statement execute function mark_dirty();

-- Whatever rights somebody has: those of a superuser, too, with which everything runs on one machine.
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'audit entries are added, and neither changed nor deleted' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_entry_append_only before update or delete or truncate on audit_entry
  for each statement execute function refuse_change();

create index audit_entry_by_action on audit_entry (action, at desc, audit_id desc);
create index audit_entry_by_actor on audit_entry (actor, at desc, audit_id desc);
