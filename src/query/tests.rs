//! The query front end as a whole: text in, plan or problem out.
